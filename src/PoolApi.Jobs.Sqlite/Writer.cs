using Microsoft.Extensions.Logging;

namespace PoolApi.Jobs.Sqlite;

/// <summary>Runs on the only thread that writes. It runs all waiting operations in one transaction, and completes them after the commit (group commit).</summary>
/// <remarks>
/// <para>A commit waits for the disk, and costs the same for many operations as for one. Operations that arrive during a commit share the next one.
/// So a slower disk or more callers mean more operations in a commit, without a timer.</para>
/// <para>A failed operation does not fail others: the transaction is rolled back, and each of its operations runs again in a transaction of its own.
/// If the file or the disk fails, all of them fail.</para>
/// </remarks>
internal sealed partial class Writer(StoreFile file, TimeProvider time, ILogger logger)
{
    /// <summary>The most operations in a commit: enough that the disk is not the limit, few enough that the first do not wait long.</summary>
    private const int MostTogether = 512;

    /// <summary>The longest wait of the final checkpoint for another process, in milliseconds.</summary>
    private const int PatienceAtTheEnd = 500;

    /// <summary>The most bytes of bodies in a commit, so that a small job does not wait for many large ones and the log does not grow by all of them.</summary>
    private const long MostBytes = 16 * 1024 * 1024;

    private readonly OperationInbox<Operation<WriterSession>> _inbox = new();
    private readonly StoreClock _clock = new(time);
    private WriterSession? _session;

    /// <summary>Receives the committed changes.</summary>
    public IJobStoreListener? Listener { get; set; }

    /// <summary>The number of committed transactions.</summary>
    public long Commits { get; private set; }

    /// <summary>Adds an operation.</summary>
    public bool TryAdd(Operation<WriterSession> operation) => _inbox.TryAdd(operation);

    /// <summary>Refuses further operations.</summary>
    public void Refuse() => _inbox.Refuse();

    /// <summary>Ends the thread when the operations are done. It closes the file; all other connections are closed by then.</summary>
    public void Close() => _inbox.Close();

    /// <summary>Opens the file. This and all following methods run on the writer's thread.</summary>
    public IDisposable Open()
    {
        try
        {
            _session = file.OpenFirst(_clock);
        }
        catch (JobStoreUnavailableException e)
        {
            // A full disk at the start is treated like one that fills up later: operations fail until there is space.
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
        done.Notify(Listener);
        foreach (Operation<WriterSession> operation in together) operation.Complete();
        return null;
    }

    /// <summary>Checkpoints the log, so that one file has all jobs, and closes the last connection.</summary>
    private void CloseFile()
    {
        string? fault = null;
        if (file.IsPrepared)
        {
            try
            {
                _session ??= file.OpenWriter(_clock);
                if (_session.TryCheckpoint(PatienceAtTheEnd)) file.Report(StoreStep.Checkpointed, file.Path);
                else fault = "another process uses the store";
            }
            catch (Exception e)
            {
                fault = StoreFaults.AtRunTime(e, file.Path).Message;
            }
        }
        _session?.Dispose();
        file.Report(StoreStep.WriterClosed, file.Path);
        if (fault is not null) LogNotMoved(file.Path, fault);
    }

    [LoggerMessage(43, LogLevel.Error, "{fault} Until the disk has space, new jobs are refused. Requests that need no job are served")]
    private partial void LogNoRoom(string fault);

    [LoggerMessage(44, LogLevel.Warning, "'{path}-wal' stays beside '{path}': {fault}. Keep and copy both files together; the next start reads both")]
    private partial void LogNotMoved(string path, string fault);

    private sealed class Closing(Writer writer) : IDisposable
    {
        public void Dispose() => writer.CloseFile();
    }
}
