namespace PoolApi.Jobs.Sqlite;

/// <summary>Runs reading operations on one thread, with a connection of its own. In WAL mode readers and the writer do not wait for each other.</summary>
internal sealed class Reader(StoreFile file, OperationInbox<Operation<ReaderSession>> inbox)
{
    private ReaderSession? _session;

    /// <summary>Opens the file, which the writer has prepared. This and all following methods run on its thread.</summary>
    public IDisposable Open()
    {
        // On a full disk the connection is opened later, by the first read that finds space.
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
            // A new connection is cheap and has no state of the failed one. A connection to a moved file is kept, since the file may be moved back.
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
        file.Report(StoreStep.ReaderClosed, file.Path);
    }

    private sealed class Closing(Reader reader) : IDisposable
    {
        public void Dispose() => reader.Close();
    }
}
