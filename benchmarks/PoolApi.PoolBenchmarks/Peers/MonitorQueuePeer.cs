namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Threads that share a <see cref="Queue{T}"/> under one monitor: the textbook's pool.</summary>
internal sealed class MonitorQueuePeer : DelegatePeer
{
    private readonly Queue<Action> _queue = new();
    private readonly DedicatedThreads _threads;
    private bool _closed;

    public MonitorQueuePeer(int workers) => _threads = new DedicatedThreads(workers, RunAll);

    public override void Dispose()
    {
        lock (_queue)
        {
            _closed = true;
            Monitor.PulseAll(_queue);
        }
        _threads.Join();
    }

    protected override void Post(Action work, int count)
    {
        for (int i = 0; i < count; i++)
        {
            lock (_queue)
            {
                _queue.Enqueue(work);
                Monitor.Pulse(_queue);
            }
        }
    }

    private void RunAll()
    {
        while (true)
        {
            Action? work;
            lock (_queue)
            {
                while (!_queue.TryDequeue(out work))
                {
                    if (_closed) return;
                    Monitor.Wait(_queue);
                }
            }
            work();
        }
    }
}
