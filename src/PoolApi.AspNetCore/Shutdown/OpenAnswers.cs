namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// Counts the answers that are still being written although the work on the pool has ended: streams, and many bytes. The stop counts
/// them as in flight. Short answers are not counted: they cost nothing.
/// </summary>
internal sealed class OpenAnswers
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public void Begin() => Interlocked.Increment(ref _count);

    public void End() => Interlocked.Decrement(ref _count);
}
