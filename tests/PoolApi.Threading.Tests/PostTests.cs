namespace PoolApi.Threading.Tests;

/// <summary>Work that nobody waits for.</summary>
public class PostTests
{
    private readonly RecordingObserver _observer = new();

    [Fact]
    public async Task It_runs_on_the_pool_in_the_callers_flow()
    {
        using FixedThreadPool pool = Pools.Make();
        var flows = new AsyncLocal<string?> { Value = "mine" };
        var seen = new TaskCompletionSource<(string?, FixedThreadPool?)>(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.Equal(SubmitResult.Accepted, pool.AnswerToPost(() => seen.SetResult((flows.Value, FixedThreadPool.Current))));
        Assert.Equal(("mine", pool), await seen.Task.Patiently());
    }

    [Fact]
    public async Task What_it_throws_is_told_to_the_observer_with_its_kind_and_origin()
    {
        using FixedThreadPool pool = Pools.Make(observer: _observer);
        pool.Post(static () => throw new InvalidDataException("on purpose"), options: new(kind: "mail", origin: "nightly"));
        await pool.RunAsync(static () => { }).Patiently();
        (PoolWorkItem item, Exception error) = Assert.Single(_observer.Unhandled);
        Assert.Equal(("mail", "nightly"), (item.Kind, item.Origin));
        Assert.IsType<InvalidDataException>(error);
        Assert.Equal(1, pool.GetSnapshot().Counts[WorkOutcome.Failed]);
    }

    [Fact]
    public async Task A_cancellation_that_was_asked_for_is_no_fault()
    {
        using FixedThreadPool pool = Pools.Make(observer: _observer);
        using var cts = new CancellationTokenSource();
        using var started = new ManualResetEventSlim();
        using var ended = new ManualResetEventSlim();
        pool.Post(() =>
        {
            // The callback that was registered last runs first: the work sees its token before the pool's own callback runs.
            cts.Token.UnsafeRegister(_ => ended.WaitPatiently(), null);
            started.Set();
            cts.Token.WaitHandle.WaitOne(Patience.Long);
            cts.Token.ThrowIfCancellationRequested();
        }, cts.Token);
        started.WaitPatiently();
        Task cancel = cts.CancelAsync();
        await pool.RunAsync(static () => { }).Patiently();
        ended.Set();
        await cancel.Patiently();
        Assert.Empty(_observer.Unhandled);
        Assert.Equal(1, pool.GetSnapshot().Counts[WorkOutcome.Cancelled]);
    }

    [Fact]
    public void It_is_refused_like_any_item()
    {
        FixedThreadPool pool = Pools.Make(capacity: 1);
        using (pool.Occupy())
        {
            Assert.Equal(SubmitResult.Accepted, pool.AnswerToPost(static () => { }));
            Assert.Equal(SubmitResult.QueueFull, pool.AnswerToPost(static () => { }));
            Assert.Throws<ArgumentException>(() => pool.Post(static () => { }, options: new(waitForSpace: true)));
        }
        pool.Dispose();
        Assert.Equal(SubmitResult.Closed, pool.AnswerToPost(static () => { }));
    }
}
