namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>The threads of a peer that has none of its own. All run the same loop and are joined at the end.</summary>
internal sealed class DedicatedThreads
{
    private readonly Thread[] _threads;

    public DedicatedThreads(int count, Action loop)
    {
        _threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            _threads[i] = new Thread(() => loop()) { IsBackground = true, Name = $"peer-{i}" };
            _threads[i].Start();
        }
    }

    /// <summary>Waits until every loop has returned. The peer must have closed its queue before.</summary>
    public void Join()
    {
        foreach (Thread thread in _threads) thread.Join();
    }
}
