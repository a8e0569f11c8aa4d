namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// Counts the responses that are still being written although their work on the pool has ended: streams and large bodies. The stop's log
/// lines count them as in flight. Short responses are not counted, to keep the hot path free of the shared counter.
/// </summary>
internal sealed class OpenResponses
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public void Begin() => Interlocked.Increment(ref _count);

    public void End() => Interlocked.Decrement(ref _count);
}
