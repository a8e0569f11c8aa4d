using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>The disposal of an app that was not stopped, as in a test, does not wait forever for the work of its pools.</summary>
public sealed class DisposalTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Disposal_of_the_app_cancels_the_work_of_all_pools_in_parallel_at_the_deadline(bool blocking)
    {
        using var cancelled = new CountdownEvent(2);
        var log = new CapturingLog();
        var clock = new FakeTimeProvider();
        var timers = new TimerRecorder(clock);
        WebApplication app = TestApp.Build(
            static _ => { }, new() { ["Shutdown:Drain"] = "00:05:00" },
            builder =>
            {
                builder.Services.AddSingleton<TimeProvider>(timers);
                builder.Services.AddFixedThreadPool("io").FromSection("Io");
            },
            kestrel: false, pool: true, log);
        await app.StartAsync(TestApp.Token);
        FixedThreadPool cpu = app.Services.GetRequiredKeyedService<FixedThreadPool>("cpu");
        FixedThreadPool io = app.Services.GetRequiredKeyedService<FixedThreadPool>("io");
        using var begun = new CountdownEvent(2);
        Task[] endless = [.. new[] { cpu, io }.Select(pool => pool.RunAsync(token =>
        {
            begun.Signal();
            token.WaitHandle.WaitOne();
            cancelled.Signal();
            cancelled.Wait(Patience.Long, CancellationToken.None); // each ends only when both pools cancel
            token.ThrowIfCancellationRequested();
        }, CancellationToken.None).AsTask())];
        Assert.True(begun.Wait(Patience.Long, TestApp.Token));

        Task disposal = blocking ? DisposeOnOwnThread(app) : app.DisposeAsync().AsTask();
        await Patience.UntilAsync(() => timers.Waits.Count(static wait => wait == TimeSpan.FromMinutes(5)) == 2, "both pools wait until the deadline");
        clock.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromMilliseconds(1));
        Assert.Equal((false, 2), (disposal.IsCompleted, cancelled.CurrentCount));
        clock.Advance(TimeSpan.FromMilliseconds(1));
        await disposal.Patiently();

        // The .NET ThreadPool completes the task of a work item's caller, possibly after the pool has stopped.
        foreach (Task work in endless) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => work.Patiently());
        Assert.All(endless, static work => Assert.True(work.IsCanceled));
        foreach (FixedThreadPool pool in new[] { cpu, io })
        {
            Assert.True(pool.IsClosed);
            Assert.All(pool.GetSnapshot().Workers, static worker => Assert.Equal(WorkerState.Stopped, worker.State));
        }
    }

    [Fact]
    public async Task A_second_stop_after_the_disposal_of_the_app_does_not_throw()
    {
        WebApplication app = TestApp.Build(static _ => { }, null, null, kestrel: false, pool: true, new CapturingLog());
        await app.StartAsync(TestApp.Token);
        IHostedLifecycleService[] lifecycles = [.. app.Services.GetServices<IHostedService>().OfType<IHostedLifecycleService>()];
        await app.StopAsync(TestApp.Token);
        await app.DisposeAsync();

        foreach (IHostedLifecycleService service in lifecycles)
        {
            await service.StoppingAsync(TestApp.Token);
            await service.StopAsync(TestApp.Token);
            await service.StoppedAsync(TestApp.Token);
        }

        Assert.NotEmpty(lifecycles);
    }

    [Fact]
    public async Task Disposal_of_the_app_finishes_accepted_work()
    {
        using var gate = new Gate();
        WebApplication app = TestApp.Build(static _ => { }, null, null, kestrel: false, pool: true, new CapturingLog());
        await app.StartAsync(TestApp.Token);
        FixedThreadPool pool = app.Services.GetRequiredService<FixedThreadPool>();
        Task<string> running = pool.RunAsync(() => gate.Pass()).AsTask();
        Task<string> waiting = pool.RunAsync(static () => "waited").AsTask();
        await gate.NextArrivalAsync();

        ValueTask disposal = app.DisposeAsync();
        await Patience.UntilAsync(() => pool.IsClosed, "the pool is closed");
        gate.Open();
        await disposal;

        Assert.Equal(("passed", "waited"), (await running, await waiting));
    }

    private static Task DisposeOnOwnThread(WebApplication app)
    {
        var disposal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Patience.OnOwnThread(() =>
        {
            ((IDisposable)app).Dispose();
            disposal.SetResult();
        });
        return disposal.Task;
    }
}
