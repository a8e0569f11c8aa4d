using Microsoft.Extensions.Logging;

namespace PoolApi.Jobs.Sqlite;

/// <summary>The one thread that writes: takes all operations that wait, does them in one transaction, and tells their callers.</summary>
/// <remarks>
/// <para>A commit waits for the disk, and costs as much for many operations as for one. While one is under way the next ones
/// gather: the slower the disk and the more callers, the more of them share a commit, without any timer.</para>
/// <para>An operation that fails takes none with it: the transaction is rolled back, and each of its operations is done once
/// more in one of its own. Unless it is the file that fails: then it does so for all of them.</para>
/// </remarks>
internal sealed partial class Writer(StoreFile file, TimeProvider time, ILogger logger)
{
    /// <summary>How many operations share a commit: enough to be free of the disk, few enough that the first do not wait long.</summary>
    private const int MostTogether = 512;

    /// <summary>How long the end waits for another process that uses the store just then, in milliseconds.</summary>
    private const int PatienceAtTheEnd = 500;

    /// <summary>How many bytes of bodies they have: a small job does not wait for many large ones, nor does the log grow by them at once.</summary>
    private const long MostBytes = 16 * 1024 * 1024;

    private readonly Inbox<Operation<WriterSession>> _inbox = new();
    private readonly StoreClock _clock = new(time);
    private WriterSession? _session;

    /// <summary>Is told what is committed.</summary>
    public IJobStoreListener? Listener { get; set; }

    /// <summary>How many transactions were committed.</summary>
    public long Commits { get; private set; }

    /// <summary>Gives it something to do.</summary>
    public bool TryAdd(Operation<WriterSession> operation) => _inbox.TryAdd(operation);

    /// <summary>Takes nothing more to do.</summary>
    public void Refuse() => _inbox.Refuse();

    /// <summary>Lets it end when it has done what it was given. It closes the file: everybody else has closed it by then.</summary>
    public void Close() => _inbox.Close();

    /// <summary>Opens the file. On its thread, as all that follows.</summary>
    public IDisposable Open()
    {
        try
        {
            _session = file.OpenFirst(_clock);
        }
        catch (JobStoreUnavailableException e)
        {
            // As a disk that fills up later: callers are told so, and it works as soon as there is room.
            LogNoRoom(e.Message);
        }
        return new Closing(this);
    }

    public void Work()
    {
        var together = new List<Operation<WriterSession>>();
        while (_inbox.Take(together, MostTogether, static operation => operation.Bytes, MostBytes))
        {
            together.RemoveAll(static operation => !operation.TryTake());
            if (together.Count > 0) Do(together);
            together.Clear();
        }
    }

    private void Do(List<Operation<WriterSession>> together)
    {
        if (TryDo(together) is not { } fault) return;
        if (together.Count == 1 || StoreFaults.IsOfTheFile(fault))
        {
            foreach (Operation<WriterSession> operation in together) operation.Fail(StoreFaults.AtRunTime(fault, file.Path));
            return;
        }
        foreach (Operation<WriterSession> operation in together) Do([operation]);
    }

    private Exception? TryDo(List<Operation<WriterSession>> together)
    {
        Batch done;
        try
        {
            WriterSession session = _session ??= file.OpenWriter(_clock);
            file.CatchUp(session, _clock);
            done = session.Commit(_clock.Read(), () =>
            {
                foreach (Operation<WriterSession> operation in together) operation.Do(session);
            });
        }
        catch (Exception e)
        {
            if (_session is { IsBroken: true })
            {
                _session.Dispose();
                _session = null;
            }
            return e;
        }
        Commits++;
        if (_session.HasOthers) file.IsShared = true;
        done.Tell(Listener);
        foreach (Operation<WriterSession> operation in together) operation.Complete();
        return null;
    }

    /// <summary>Moves the log into the store, so that one file has all jobs, and closes the last connection.</summary>
    private void CloseFile()
    {
        string? fault = null;
        if (file.IsPrepared)
        {
            try
            {
                _session ??= file.OpenWriter(_clock);
                if (_session.TryMoveLog(PatienceAtTheEnd)) file.Tell(StoreStep.Checkpointed, file.Path);
                else fault = "another process uses the store";
            }
            catch (Exception e)
            {
                fault = StoreFaults.AtRunTime(e, file.Path).Message;
            }
        }
        _session?.Dispose();
        file.Tell(StoreStep.WriterClosed, file.Path);
        if (fault is not null) LogNotMoved(file.Path, fault);
    }

    [LoggerMessage(43, LogLevel.Error, "{fault} Until then new jobs are refused; requests that need no job are answered")]
    private partial void LogNoRoom(string fault);

    [LoggerMessage(44, LogLevel.Warning, "'{path}-wal' stays beside '{path}': {fault}. Keep and copy both files together; the next start reads both")]
    private partial void LogNotMoved(string path, string fault);

    private sealed class Closing(Writer writer) : IDisposable
    {
        public void Dispose() => writer.CloseFile();
    }
}
