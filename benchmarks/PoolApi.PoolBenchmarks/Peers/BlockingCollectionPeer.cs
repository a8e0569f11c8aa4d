using System.Collections.Concurrent;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Threads that take from a <see cref="BlockingCollection{T}"/>: the pool that most people write.</summary>
internal sealed class BlockingCollectionPeer : DelegatePeer
{
    private readonly BlockingCollection<Action> _queue;
    private readonly DedicatedThreads _threads;

    public BlockingCollectionPeer(int workers, int? capacity)
    {
        _queue = capacity is { } bound ? new BlockingCollection<Action>(bound) : [];
        _threads = new DedicatedThreads(workers, RunAll);
    }

    public override void Dispose()
    {
        _queue.CompleteAdding();
        _threads.Join();
        _queue.Dispose();
    }

    protected override void Post(Action work, int count)
    {
        for (int i = 0; i < count; i++) _queue.Add(work);
    }

    private void RunAll()
    {
        _queue.RunAll(static work => work());
    }
}
