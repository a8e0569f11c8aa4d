using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Tests.Support;

namespace PoolApi.Dashboard.Tests.History;

/// <summary>Whether a busy worker computes, waits for a processor, or is blocked.</summary>
[Collection(nameof(HistoryMemoryTests))] // A garbage collection of another test would block the threads that compute.
public class WorkerActivityTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_worker_that_sleeps_is_blocked()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync(fakeClock: false);
        using var go = new ManualResetEventSlim();
        ValueTask work = app.Pool.RunAsync(() => go.Wait(TestContext.Current.CancellationToken));
        await FirstOfAsync(app, static a => a?.Activity == WorkerActivity.Blocked).Patiently();
        Assert.Null(await IdleAsync(app, go, work));
    }

    [Fact]
    public async Task Computing_workers_are_not_reported_as_blocked_and_some_wait_for_a_processor()
    {
        // More workers than processors, so that some wait at any time. The kernel decides which.
        int workers = Environment.ProcessorCount * 4;
        await using MonitoredApp app = await MonitoredApp.StartAsync(workers, fakeClock: false);
        using var stop = new CancellationTokenSource();
        Task[] work = [.. Enumerable.Range(0, workers).Select(_ => app.Pool.RunAsync(() => { while (!stop.IsCancellationRequested) Thread.SpinWait(100); }).AsTask())];
        await FirstOfAsync(app, static a => a?.Activity == WorkerActivity.WaitingForProcessor).Patiently();
        for (int id = 0; id < workers; id++) Assert.NotEqual(WorkerActivity.Blocked, app.Monitor.ActivityOf("cpu", id)?.Activity);
        await stop.CancelAsync();
        await Task.WhenAll(work);
    }

    [Fact]
    public async Task A_single_computing_worker_is_not_reported_as_blocked()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync(fakeClock: false);
        using var stop = new CancellationTokenSource();
        Task work = app.Pool.RunAsync(() => { while (!stop.IsCancellationRequested) Thread.SpinWait(100); }).AsTask();
        WorkerActivityView seen = await FirstOfAsync(app, static a => a is not null).Patiently(); // other load may take the processor, but blocks nothing
        Assert.NotEqual(WorkerActivity.Blocked, seen.Activity);
        await stop.CancelAsync();
        await work;
    }

    private static async Task<WorkerActivityView> FirstOfAsync(MonitoredApp app, Func<WorkerActivityView?, bool> isIt)
    {
        for (long tick = 0; ;)
        {
            tick = await app.Monitor.WaitForTickAsync(tick, Cancel);
            for (int id = 0; id < app.Pool.Workers; id++)
            {
                if (app.Monitor.ActivityOf("cpu", id) is var activity && isIt(activity)) return activity!;
            }
        }
    }

    private static async Task<WorkerActivityView?> IdleAsync(MonitoredApp app, ManualResetEventSlim go, ValueTask work)
    {
        go.Set();
        await work;
        await app.Monitor.WaitForTickAsync(app.Monitor.LastTick + 1, Cancel);
        return app.Monitor.ActivityOf("cpu", 0);
    }
}
