namespace PoolApi.Threading.Tests.Calls;

/// <summary>A continuation runs exactly once, even if the awaiter's context runs it in place and then throws.</summary>
public class InlineContextTests
{
    [Fact]
    public void A_context_that_runs_a_continuation_in_place_and_throws_gets_the_continuation_only_once()
    {
        var observer = new RecordingObserver();
        using FixedThreadPool pool = Pools.Make(more: o => o.Observer = observer);
        using Occupation busy = pool.Occupy();
        var context = new Inline();
        int continuations = 0;
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
#pragma warning disable CA2012 // Uses the awaiter directly, because an async method would hide a second run of the continuation.
            System.Runtime.CompilerServices.ValueTaskAwaiter<int> awaiter = pool.RunAsync(static () => 1).GetAwaiter();
#pragma warning restore CA2012
            awaiter.OnCompleted(() => Interlocked.Increment(ref continuations));
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
        busy.Dispose();
        // The worker completes the call before it takes the next item. The ThreadPool would run a second continuation before the item queued here.
        pool.Run(static () => { });
        using var passed = new ManualResetEventSlim();
        ThreadPool.UnsafeQueueUserWorkItem(_ => passed.Set(), null);
        passed.WaitPatiently();
        Patience.Until(() => !observer.Unhandled.IsEmpty);
        Assert.IsType<InvalidDataException>(Assert.Single(observer.Unhandled).Error);
        Assert.Equal((1, 1), (context.Posts, Volatile.Read(ref continuations)));
    }

    private sealed class Inline : SynchronizationContext
    {
        public int Posts { get; private set; }

        public override void Post(SendOrPostCallback d, object? state)
        {
            Posts++;
            d(state);
            throw new InvalidDataException("on purpose");
        }
    }
}
