using System.Diagnostics;
using System.Globalization;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>A second signal ends the process at once. A hundred signals at the same time are one stop.</summary>
public sealed class SecondSignalTests
{
    [Theory]
    [InlineData(15, 143, "")]
    [InlineData(2, 130, "")]
    [InlineData(15, 143, "&uncooperative=true")]
    [InlineData(2, 130, "&uncooperative=true")]
    public Task A_second_signal_ends_the_process_at_once_and_the_last_line_adds_up(int signal, int code, string more) =>
        // The service then has 0.7 s for its last line.
        MachineLoad.TryAgainAsync(() => EndsAtOnceAsync(signal, code, more), "the last line is missing");

    private static async Task<bool> EndsAtOnceAsync(int signal, int code, string more)
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot,
            "--Pool:Workers 2", "--Pool:MaxQueueTime 00:10:00", "--Shutdown:LameDuck 00:02:00", "--Shutdown:Drain 00:05:00", PoolApiProcess.Diagnostics);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var running = await service.OccupyAsync(2, 600_000, more);
        var waiting = await service.QueueAsync(10, 600_000);
        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: LameDuck");
        // Two signals within 150 ms count as one, so the second is sent later.
        await Task.Delay(300, TestContext.Current.CancellationToken);

        var clock = Stopwatch.StartNew();
        service.Send((UnixSignal)signal);
        Assert.Equal(code, await service.WaitForExitAsync());

        TestContext.Current.TestOutputHelper!.WriteLine($"exit after {clock.ElapsedMilliseconds} ms");
        // The promise is 1 s. The lame duck alone would be twice as long as this limit.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 60);
        foreach (var left in running.Concat(waiting))
            await Record.ExceptionAsync(() => left);
        if (!service.HasSummary)
            return false;
        var summary = await service.ReadSummaryAsync();
        Assert.Equal((code, 13, 1, 10), (summary.Exit, summary.Accepted, summary.Completed, summary.NotStarted));
        summary.MustAddUp();
        return true;
    }

    [Fact]
    public async Task A_second_signal_ends_the_process_while_it_joins_threads()
    {
        // The second signal must come within the two seconds of the join.
        await MachineLoad.TryAgainAsync(IsCutShortAsync, "the second signal did not end it, or the last line is missing");

        static async Task<bool> IsCutShortAsync()
        {
            await using var service = await PoolApiProcess.StartAsync(
                ServiceForm.NativeAot, "--Pool:Workers 2", "--Shutdown:Drain 00:00:00.300", "--Shutdown:Cancel 00:00:00.300", PoolApiProcess.Diagnostics);
            var running = await service.OccupyAsync(1, 60_000, "&uncooperative=true");
            service.Send(UnixSignal.Terminate);
            await service.WaitForLineAsync("Shutdown: Joining");

            Record.Exception(() => service.Send(UnixSignal.Terminate)); // the process may have ended

            int code = await service.WaitForExitAsync();
            await Record.ExceptionAsync(() => running[0]);
            if (code == 4 || !service.HasSummary)
                return false;
            Assert.Equal(new ShutdownSummary(143, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2), await service.ReadSummaryAsync());
            return true;
        }
    }

    [Fact]
    public async Task A_second_signal_after_the_last_line_does_not_change_the_exit_code()
    {
        // The second signal must come within the two seconds that the snapshot of an unclean stop may take.
        await MachineLoad.TryAgainAsync(LeavesTheCodeAsync, "the second signal came too late for a handler");

        static async Task<bool> LeavesTheCodeAsync()
        {
            using var folder = new TemporaryFolder();
            await using var service = await PoolApiProcess.StartAsync(
                ServiceForm.Any, "--Pool:Workers 2", "--Shutdown:Drain 00:00:00.300", "--Shutdown:Cancel 00:00:00.300",
                $"--Dashboard:SnapshotDirectory {folder.Path}", PoolApiProcess.Diagnostics);
            var running = await service.OccupyAsync(1, 60_000, "&uncooperative=true");
            // At the path of the snapshot there is a pipe that nothing reads, so the writer hangs.
            var now = DateTime.UtcNow;
            string[] pipes = [.. Enumerable.Range(0, 600).Select(second =>
                folder.File($"{now.AddSeconds(second).ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}-unclean-stop-1.json.gz.tmp"))];
            (await ProgramRun.ToEndAsync(new ProcessStartInfo("mkfifo", pipes), Patience.Long)).MustSucceed();
            service.Send(UnixSignal.Terminate);
            await service.WaitForLineAsync("Shutdown complete: exit 4");

            Record.Exception(() => service.Send(UnixSignal.Terminate)); // the process may have ended

            int code = await service.WaitForExitAsync();
            await Record.ExceptionAsync(() => running[0]);
            return code == 4;
        }
    }

    [Fact]
    public async Task A_hundred_signals_at_once_are_one_stop()
    {
        // Signals 150 ms apart count as two, and a busy machine may suspend the sender or the service for that long.
        await MachineLoad.TryAgainAsync(AreOneStopAsync, "one of the hundred counted as a second signal");

        static async Task<bool> AreOneStopAsync()
        {
            await using var service = await PoolApiProcess.StartAsync(
                ServiceForm.NativeAot, ["--Pool:Workers 2", .. StopTimes.Settings, PoolApiProcess.Diagnostics]);
            var running = await service.OccupyAsync(1, 3000);

            var clock = Stopwatch.StartNew();
            for (int i = 0; i < 100; i++)
            {
                while (clock.Elapsed < TimeSpan.FromMilliseconds(0.1 * i))
                    Thread.SpinWait(10);
                if (Record.Exception(() => service.Send(UnixSignal.Terminate)) is not null)
                    break; // the process has ended
            }

            TestContext.Current.TestOutputHelper!.WriteLine($"100 signals in {clock.Elapsed.TotalMilliseconds:F1} ms");
            if (await service.WaitForExitAsync() == 143)
            {
                await Record.ExceptionAsync(() => running[0]);
                return false;
            }

            (await running[0]).MustBe(200);
            Assert.Equal(new ShutdownSummary(0, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2), await service.ReadSummaryAsync());
            Assert.Single(service.Log.Lines, line => line.Contains("Shutdown: LameDuck", StringComparison.Ordinal));
            return true;
        }
    }
}
