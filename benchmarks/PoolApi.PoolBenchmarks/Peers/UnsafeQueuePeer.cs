namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>
/// <see cref="ThreadPool.UnsafeQueueUserWorkItem{TState}(Action{TState}, TState, bool)"/>: the .NET ThreadPool at its
/// cheapest, without a task, a captured context or a bound.
/// </summary>
internal sealed class UnsafeQueuePeer : DelegatePeer
{
    public override void Dispose() { }

    protected override void Post(Action work, int count)
    {
        for (int i = 0; i < count; i++) ThreadPool.UnsafeQueueUserWorkItem(static work => work(), work, preferLocal: false);
    }
}
