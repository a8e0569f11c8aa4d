using System.Diagnostics;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>Who signals again means now; who signals a hundred times at once means one stop.</summary>
public sealed class SecondSignalTests
{
    [Theory]
    [InlineData(15, 143, "")]
    [InlineData(2, 130, "")]
    [InlineData(15, 143, "&uncooperative=true")]
    [InlineData(2, 130, "&uncooperative=true")]
    public async Task A_second_signal_ends_it_at_once_and_the_last_line_adds_up(int signal, int code, string more)
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot,
            "--Pool:Workers 2", "--Pool:MaxQueueTime 00:10:00", "--Shutdown:LameDuck 00:02:00", "--Shutdown:Drain 00:05:00", PoolApiProcess.Diagnostics);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var running = await service.OccupyAsync(2, 600_000, more);
        var waiting = await service.QueueAsync(10, 600_000);
        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: LameDuck");
        // Two that come together are one: the time within which they do so passes.
        await Task.Delay(300, TestContext.Current.CancellationToken);

        var clock = Stopwatch.StartNew();
        service.Send((UnixSignal)signal);
        var summary = await service.ReadSummaryAsync();

        TestContext.Current.TestOutputHelper!.WriteLine($"exit after {clock.ElapsedMilliseconds} ms: {summary}");
        // The promise is 1 s; the lame duck alone would be twice as long as this.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 60);
        Assert.Equal((code, 13, 1, 10), (summary.Exit, summary.Accepted, summary.Completed, summary.NotStarted));
        summary.MustAddUp();
        foreach (var left in running.Concat(waiting))
            await Record.ExceptionAsync(() => left);
    }

    [Fact]
    public async Task It_need_not_wait_for_threads_that_are_being_joined()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", "--Shutdown:Drain 00:00:00.300", "--Shutdown:Cancel 00:00:00.300", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 60_000, "&uncooperative=true");
        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: Joining");

        service.Send(UnixSignal.Terminate);

        var summary = await service.ReadSummaryAsync();
        Assert.Equal(new ShutdownSummary(143, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2), summary);
        await Record.ExceptionAsync(() => running[0]);
    }

    [Fact]
    public async Task A_hundred_signals_at_once_are_one_stop()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, ["--Pool:Workers 2", .. StopTimes.Settings, PoolApiProcess.Diagnostics]);
        var running = await service.OccupyAsync(1, 3000);

        var clock = Stopwatch.StartNew();
        for (int i = 0; i < 100; i++)
        {
            while (clock.Elapsed < TimeSpan.FromMilliseconds(0.1 * i))
                Thread.SpinWait(10);
            service.Send(UnixSignal.Terminate);
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"100 signals in {clock.Elapsed.TotalMilliseconds:F1} ms");
        (await running[0]).MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2), await service.ReadSummaryAsync());
        Assert.Single(service.Log.Lines, line => line.Contains("Shutdown: LameDuck", StringComparison.Ordinal));
    }
}
