using System.Collections.Concurrent;

namespace PoolApi.HttpBenchmarks.Baseline;

/// <summary>The simplest pool: threads that share an unbounded queue.</summary>
internal sealed class TextbookPool
{
    private readonly BlockingCollection<(Action Work, TaskCompletionSource Done)> _queue = [];

    public TextbookPool(int workers)
    {
        for (int i = 0; i < workers; i++) new Thread(Work) { IsBackground = true, Name = $"textbook-{i}" }.Start();
    }

    public Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _queue.Add((work, done));
        return done.Task;
    }

    private void Work()
    {
        foreach ((Action work, TaskCompletionSource done) in _queue.GetConsumingEnumerable())
        {
            try
            {
                work();
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }
    }
}
