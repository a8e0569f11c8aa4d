namespace PoolApi.Threading.Tests.Calls;

/// <summary>Posted work, whose result no caller awaits.</summary>
public class PostTests
{
    private readonly RecordingObserver _observer = new();

    [Fact]
    public async Task Posted_work_runs_on_the_pool_with_the_callers_execution_context()
    {
        using FixedThreadPool pool = Pools.Make();
        var flows = new AsyncLocal<string?> { Value = "mine" };
        var seen = new TaskCompletionSource<(string?, FixedThreadPool?)>(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.Equal(SubmitResult.Accepted, pool.AnswerToPost(() => seen.SetResult((flows.Value, FixedThreadPool.Current))));
        Assert.Equal(("mine", pool), await seen.Task.Patiently());
    }

    [Fact]
    public async Task An_exception_of_posted_work_is_reported_to_the_observer_with_its_kind_and_origin()
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
    public async Task A_requested_cancellation_of_posted_work_is_not_reported_as_unhandled()
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
    public void A_full_queue_and_a_closed_pool_refuse_posted_work()
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
