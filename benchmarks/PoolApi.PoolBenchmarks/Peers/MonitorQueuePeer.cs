namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Threads that share a <see cref="MonitorQueue{T}"/>: the pool of the textbooks.</summary>
internal sealed class MonitorQueuePeer : DelegatePeer
{
    private readonly MonitorQueue<Action> _queue = new();
    private readonly DedicatedThreads _threads;

    public MonitorQueuePeer(int workers) => _threads = new DedicatedThreads(workers, RunAll);

    public override void Dispose()
    {
        _queue.Close();
        _threads.Join();
    }

    protected override void Post(Action work, int count)
    {
        for (int i = 0; i < count; i++) _queue.Add(work);
    }

    private void RunAll()
    {
        while (_queue.TryTake(out Action? work)) work();
    }
}
