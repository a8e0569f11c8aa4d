namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>Holds a store's writer at its first notification, so that the calls meanwhile wait for the same commit.</summary>
internal sealed class HeldWriter : IJobStoreListener, IDisposable
{
    private readonly ManualResetEventSlim _held = new();
    private readonly ManualResetEventSlim _released = new();
    private int _changes;

    public int Changes => Volatile.Read(ref _changes);

    /// <summary>Waits until the writer is held.</summary>
    public void Held() => Assert.True(_held.Wait(Patience.Long, Patience.Token));

    public void Release() => _released.Set();

    public void Changed(JobChange change)
    {
        Interlocked.Increment(ref _changes);
        _held.Set();
        _released.Wait(Patience.Long);
    }

    public void MayBeDue()
    {
    }

    public void MayHaveMissed()
    {
    }

    public void Dispose()
    {
        _released.Set();
        _held.Dispose();
    }
}
