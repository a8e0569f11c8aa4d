namespace PoolApi.Jobs.Sqlite;

/// <summary>A thread that reads, beside the writer: in WAL mode neither waits for the other.</summary>
internal sealed class Reader(StoreFile file, Inbox<Operation<ReaderSession>> inbox)
{
    private ReaderSession? _session;

    /// <summary>Opens the file, which the writer has prepared. On its thread, as all that follows.</summary>
    public IDisposable Open()
    {
        // Where there is no room on the disk yet, it is opened with the first read that finds some.
        try
        {
            if (file.IsPrepared) _session = file.OpenReader();
        }
        catch (Exception e) when (DiskRoom.IsOut(e, file.Path))
        {
        }
        return new Closing(this);
    }

    public void Work()
    {
        var next = new List<Operation<ReaderSession>>(1);
        while (inbox.Take(next, 1))
        {
            Do(next[0]);
            next.Clear();
        }
    }

    private void Do(Operation<ReaderSession> operation)
    {
        if (!operation.TryTake()) return;
        try
        {
            _session ??= file.OpenReader();
            _session.Do(operation);
        }
        catch (Exception e)
        {
            // A connection is quickly made, and a new one has nothing left of what went wrong. But a file that was moved may come back.
            if (e is not JobStoreUnavailableException)
            {
                _session?.Dispose();
                _session = null;
            }
            operation.Fail(StoreFaults.AtRunTime(e, file.Path));
            return;
        }
        operation.Complete();
    }

    private void Close()
    {
        _session?.Dispose();
        file.Tell(StoreStep.ReaderClosed, file.Path);
    }

    private sealed class Closing(Reader reader) : IDisposable
    {
        public void Dispose() => reader.Close();
    }
}
