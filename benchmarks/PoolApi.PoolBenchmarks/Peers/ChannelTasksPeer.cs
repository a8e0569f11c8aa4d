using System.Threading.Channels;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Asynchronous loops on an unbounded channel: workers of the .NET ThreadPool, as many at a time as there are loops.</summary>
internal sealed class ChannelTasksPeer : DelegatePeer
{
    private readonly Channel<Action> _queue = Channel.CreateUnbounded<Action>();
    private readonly Task[] _loops;

    public ChannelTasksPeer(int workers)
    {
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
        for (int i = 0; i < count; i++) _queue.Writer.TryWrite(work);
    }

    private async Task RunAllAsync()
    {
        await foreach (Action work in _queue.Reader.ReadAllAsync()) work();
    }
}
