namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>The one thread that writes: takes all operations that wait, does them in one transaction, and tells their callers.</summary>
/// <remarks>
/// <para>A commit waits for the disk, and costs as much for many operations as for one. While one is under way the next ones
/// gather: the slower the disk and the more callers, the more of them share a commit, without any timer.</para>
/// <para>An operation that fails takes none with it: the transaction is rolled back, and each of its operations is done once
/// more in one of its own. Unless it is the file that fails: then it does so for all of them.</para>
/// </remarks>
internal sealed class Writer(StoreFile file, TimeProvider time)
{
    /// <summary>How many operations share a commit: enough to be free of the disk, few enough that the first do not wait long.</summary>
    private const int MostTogether = 512;

    /// <summary>How many bytes of bodies they have: a small job does not wait for many large ones, nor does the log grow by them at once.</summary>
    private const long MostBytes = 16 * 1024 * 1024;

    private readonly Inbox<Operation<WriterSession>> _inbox = new();
    private WriterSession? _session;

    /// <summary>Is told what is committed.</summary>
    public IJobStoreListener? Listener { get; set; }

    /// <summary>How many transactions were committed.</summary>
    public long Commits { get; private set; }

    /// <summary>Gives it something to do.</summary>
    public bool TryAdd(Operation<WriterSession> operation) => _inbox.TryAdd(operation);

    /// <summary>Lets it end when it has done what it was given.</summary>
    public void Close() => _inbox.Close();

    /// <summary>Opens the file. On its thread, as all that follows.</summary>
    public IDisposable Open()
    {
        _session = file.OpenFirst(time.GetUtcNow());
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
            WriterSession session = _session ??= file.OpenWriter();
            done = session.Commit(time.GetUtcNow(), () =>
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

    private sealed class Closing(Writer writer) : IDisposable
    {
        public void Dispose() => writer._session?.Dispose();
    }
}
