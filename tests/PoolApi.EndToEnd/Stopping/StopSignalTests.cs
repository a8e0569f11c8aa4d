namespace PoolApi.EndToEnd.Stopping;

/// <summary>Every signal that asks a process to stop starts a drain, from the first moment of the process.</summary>
public sealed class StopSignalTests
{
    [Theory]
    [InlineData(1, "SIGHUP")]
    [InlineData(2, "SIGINT")]
    [InlineData(3, "SIGQUIT")]
    [InlineData(15, "SIGTERM")]
    public async Task A_stop_signal_drains_what_was_accepted(int signal, string name)
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(2, 700);
        var waiting = await service.QueueAsync(1, 1);

        service.Send((UnixSignal)signal);

        foreach (var answer in running.Concat(waiting)) (await answer).MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 3, 3, 0, 0, 0, 0, 0, 0, 2, 2), await service.ReadSummaryAsync());
        Assert.Contains(service.Log.Lines, line => line.Contains($"Shutdown: Draining, reason {name}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_SIGHUP_ends_the_process_at_once()
    {
        // The service then has 0.7 s for its last line.
        await MachineLoad.TryAgainAsync(EndsAtOnceAsync, "the last line is missing");

        static async Task<bool> EndsAtOnceAsync()
        {
            await using var service = await PoolApiProcess.StartAsync(
                ServiceForm.NativeAot, ["--Pool:Workers 1", .. StopTimes.Settings, PoolApiProcess.Diagnostics]);
            var running = await service.OccupyAsync(1, 60_000);
            service.Send(UnixSignal.HangUp);
            await service.WaitForLineAsync("Shutdown: LameDuck");
            // Two signals within 150 ms count as one.
            await Task.Delay(300, TestContext.Current.CancellationToken); // longer than that

            service.Send(UnixSignal.HangUp);

            Assert.Equal(129, await service.WaitForExitAsync());
            await Record.ExceptionAsync(() => running[0]);
            if (!service.HasSummary)
                return false;
            await service.ReadSummaryAsync();
            return true;
        }
    }

    [Fact]
    public async Task Under_nohup_SIGHUP_stays_ignored()
    {
        await using var service = await PoolApiProcess.StartWithinAsync(["nohup"], ServiceForm.NativeAot, "--Pool:Workers 1");

        service.Send(UnixSignal.HangUp);
        var summary = await service.StopAsync();

        Assert.Equal(0, summary.Exit);
        Assert.Contains(service.Log.Lines, line => line.Contains("reason SIGTERM", StringComparison.Ordinal));
        Assert.DoesNotContain(service.Log.Lines, line => line.Contains("reason SIGHUP", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(UnixSignal.Interrupt)]
    [InlineData(UnixSignal.Quit)]
    public async Task A_signal_that_a_shell_script_ignores_for_its_background_jobs_stays_ignored(UnixSignal signal)
    {
        await using var service = await PoolApiProcess.StartWithinAsync(
            ["sh", "-c", "trap '' INT QUIT; exec \"$@\"", "sh"], ServiceForm.NativeAot, "--Pool:Workers 1");

        service.Send(signal);
        var summary = await service.StopAsync();

        Assert.Equal(0, summary.Exit);
        Assert.Contains(service.Log.Lines, line => line.Contains("reason SIGTERM", StringComparison.Ordinal));
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_service_with_PID_1_stops_cleanly_on_a_signal_during_its_start(ServiceForm form)
    {
        if (!Environment.IsPrivilegedProcess) Tool.Missing("The right to make a process namespace", "run the tests as root");
        if (Tool.Find("unshare") is null) Tool.Missing("unshare, to make a process namespace,", "apt-get install util-linux");
        string[] wrapper = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
        foreach (int milliseconds in new[] { 0, 40 })
        {
            await using var service = await PoolApiProcess.LaunchWithinAsync(wrapper, form, "--Pool:Workers 1");
            int child = await service.ChildAsync();
            // The kernel drops a signal to PID 1 that has no handler, so until then no signal can stop the process.
            await ProcessFacts.CatchesAsync(child, UnixSignal.HangUp);
            await Task.Delay(milliseconds, TestContext.Current.CancellationToken); // the moment that is tried

            Libc.Send(child, UnixSignal.Terminate);

            Assert.Equal((0, 0), (await service.ReadSummaryAsync() is var summary ? (summary.Exit, summary.Accepted) : default));
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(12)]
    public async Task SIGUSR1_and_SIGUSR2_keep_their_default_action(int signal)
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 1");

        service.Send((UnixSignal)signal);

        Assert.Equal(128 + signal, await service.WaitForExitAsync());
    }

    [Theory]
    [InlineData(ServiceForm.FrameworkDependent, 15)]
    [InlineData(ServiceForm.NativeAot, 15)]
    [InlineData(ServiceForm.NativeAot, 1)]
    [InlineData(ServiceForm.NativeAot, 2)]
    [InlineData(ServiceForm.NativeAot, 3)]
    public async Task A_stop_before_the_service_listens_exits_with_0_and_logs_the_summary(ServiceForm form, int signal)
    {
        // Each round sends the signal at another moment. Once all handlers are registered, the process ends with exit code 0 and the last line.
        foreach (int milliseconds in new[] { 0, 20, 60, 150 })
        {
            await using var service = await PoolApiProcess.LaunchAsync(form, onePort: false, environment: null, "--Pool:Workers 1");
            await ProcessFacts.CatchesAsync(service.Id, UnixSignal.HangUp); // the last handler that is registered
            await Task.Delay(milliseconds, TestContext.Current.CancellationToken); // the moment that is tried

            service.Send((UnixSignal)signal);

            var summary = await service.ReadSummaryAsync();
            Assert.Equal((0, 0), (summary.Exit, summary.Accepted));
        }
    }
}
