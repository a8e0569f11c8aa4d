namespace PoolApi.AspNetCore.Endpoints;

/// <summary>A number of bytes that may be held at a time. Thread-safe.</summary>
internal sealed class ByteBudget(long limit)
{
    private long _used;

    /// <summary>How many there are.</summary>
    public long Limit => limit;

    /// <summary>What could be taken now; out of date as soon as it is read.</summary>
    public long Free => limit - Used;

    public long Used => Volatile.Read(ref _used);

    public bool TryTake(long bytes)
    {
        long used = Volatile.Read(ref _used);
        while (bytes <= limit - used)
        {
            long seen = Interlocked.CompareExchange(ref _used, used + bytes, used);
            if (seen == used) return true;
            used = seen;
        }
        return false;
    }

    public void Return(long bytes) => Interlocked.Add(ref _used, -bytes);
}
