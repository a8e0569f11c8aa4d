using System.Threading.Channels;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Threads that block on a bounded channel.</summary>
internal sealed class ChannelThreadsPeer : DelegatePeer
{
    private readonly Channel<Action> _queue;
    private readonly DedicatedThreads _threads;

    public ChannelThreadsPeer(int workers, int capacity)
    {
        // Synchronous continuations suit this peer: they only set the event that a thread blocks on. Otherwise each wake-up
        // would need a ThreadPool thread.
        _queue = Channel.CreateBounded<Action>(new BoundedChannelOptions(capacity) { AllowSynchronousContinuations = true });
        _threads = new DedicatedThreads(workers, RunAll);
    }

    public override void Dispose()
    {
        _queue.Writer.Complete();
        _threads.Join();
    }

    protected override void Post(Action work, int count)
    {
        ChannelWriter<Action> writer = _queue.Writer;
        for (int i = 0; i < count; i++)
        {
            if (!writer.TryWrite(work)) writer.WriteAsync(work).AsTask().GetAwaiter().GetResult();
        }
    }

    private void RunAll()
    {
        ChannelReader<Action> reader = _queue.Reader;
        do
        {
            while (reader.TryRead(out Action? work)) work();
        }
        while (reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult());
    }
}
