namespace PoolApi.Jobs.Running;

/// <summary>
/// The bytes of the jobs that this instance has in hand: of their bodies until the attempt has ended, and of their results until those are
/// written. Thread-safe.
/// </summary>
/// <remarks>
/// Bodies are taken within the limit. How large a result is, is known only when it is there: it counts all the same, and nothing is
/// claimed until there is room again. So the limit is exceeded at most by one result for each worker.
/// </remarks>
internal sealed class HeldBytes(long limit)
{
    private long _used;

    public long Used => Volatile.Read(ref _used);

    /// <summary>What could be taken now, 0 or more; out of date as soon as it is read.</summary>
    public long Free => Math.Max(0, limit - Used);

    /// <summary>Takes bytes, if there is room for them.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _used, bytes) <= limit) return true;
        Return(bytes);
        return false;
    }

    /// <summary>Takes bytes that are there in any case.</summary>
    public void Take(long bytes) => Interlocked.Add(ref _used, bytes);

    public void Return(long bytes) => Interlocked.Add(ref _used, -bytes);
}
