namespace PoolApi;

/// <summary>A number of bytes that may be held at a time. Thread-safe.</summary>
/// <remarks>
/// A refused call takes no bytes, not even temporarily. So it does not cause the refusal of a concurrent call that fits.
/// </remarks>
internal sealed class ByteBudget(long limit)
{
    private long _used;

    /// <summary>The most that may be held.</summary>
    public long Limit => limit;

    /// <summary>What could be taken now, 0 or more; out of date as soon as it is read.</summary>
    public long Free => Math.Max(0, limit - Used);

    /// <summary>What is held now. More than the limit only through <see cref="Take"/> and <see cref="TryTakeOrAlone"/>.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>Takes bytes, if there is room for them.</summary>
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

    /// <summary>
    /// Takes bytes, if there is room for them. A caller that would hold more than the limit succeeds only while no other caller holds bytes.
    /// </summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="held">What the caller holds already, beside them.</param>
    public bool TryTakeOrAlone(long bytes, long held)
    {
        if (bytes + held <= limit) return TryTake(bytes);
        return Interlocked.CompareExchange(ref _used, held + bytes, held) == held;
    }

    /// <summary>Takes bytes that are in memory already, also beyond the limit. A negative number gives bytes back.</summary>
    public void Take(long bytes) => Interlocked.Add(ref _used, bytes);

    /// <summary>Gives bytes back.</summary>
    public void Return(long bytes) => Interlocked.Add(ref _used, -bytes);
}
