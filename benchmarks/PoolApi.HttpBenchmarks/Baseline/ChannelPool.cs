using System.Threading.Channels;

namespace PoolApi.HttpBenchmarks.Baseline;

/// <summary>Threads that block on a channel, in twenty lines.</summary>
internal sealed class ChannelPool
{
    private readonly Channel<(Action Work, TaskCompletionSource Done)> _queue = Channel.CreateUnbounded<(Action, TaskCompletionSource)>();

    public ChannelPool(int workers)
    {
        for (int i = 0; i < workers; i++) new Thread(Work) { IsBackground = true, Name = $"channel-{i}" }.Start();
    }

    public Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _queue.Writer.TryWrite((work, done)); // there is always room
        return done.Task;
    }

    private void Work()
    {
        while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_queue.Reader.TryRead(out (Action Work, TaskCompletionSource Done) item))
            {
                try
                {
                    item.Work();
                    item.Done.SetResult();
                }
                catch (Exception e)
                {
                    item.Done.SetException(e);
                }
            }
        }
    }
}
