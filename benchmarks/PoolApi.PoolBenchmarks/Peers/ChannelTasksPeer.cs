using System.Threading.Channels;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Asynchronous loops on a channel: workers of the .NET ThreadPool, as many at a time as there are loops.</summary>
internal sealed class ChannelTasksPeer : DelegatePeer
{
    private readonly Channel<Action> _queue;
    private readonly Task[] _loops;

    public ChannelTasksPeer(int workers, int? capacity)
    {
        // With synchronous continuations a loop would continue on the producer's thread.
        _queue = capacity is { } bound ? Channel.CreateBounded<Action>(bound) : Channel.CreateUnbounded<Action>();
        _loops = new Task[workers];
        for (int i = 0; i < workers; i++) _loops[i] = Task.Run(RunAllAsync);
    }

    public override void Dispose()
    {
        _queue.Writer.Complete();
        Task.WaitAll(_loops);
    }

    protected override void Post(Action work, int count)
    {
        ChannelWriter<Action> writer = _queue.Writer;
        for (int i = 0; i < count; i++)
        {
            if (!writer.TryWrite(work)) writer.WriteAsync(work).AsTask().GetAwaiter().GetResult();
        }
    }

    private async Task RunAllAsync()
    {
        await foreach (Action work in _queue.Reader.ReadAllAsync()) work();
    }
}
