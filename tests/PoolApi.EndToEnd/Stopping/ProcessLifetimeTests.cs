using System.Net;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>The library does not control the process unless the app calls <c>AddPoolProcessLifetime()</c>.</summary>
public sealed class ProcessLifetimeTests
{
    private const string Watchdog = "shutdown-watchd"; // the name of the watchdog's thread, truncated by Linux
    private static readonly string[] LosesAtOnce = ["--PoolShutdown:Drain", "00:00:00", "--PoolShutdown:Cancel", "00:05:00"];
    private static readonly string[] AsksForIt = ["--AsksFor", "process"];

    [Fact]
    public async Task Without_process_lifetime_the_host_drains_on_a_signal_and_the_app_sets_the_exit_code()
    {
        await using ConsumerProcess app = await ConsumerProcess.StartAsync("--ExitCode", "7");
        Task<HttpResponseMessage> held = await app.HoldAsync();
        app.Send(UnixSignal.Terminate);
        await app.WaitForLineAsync("Shutdown: Draining, reason application, 1 in flight, 0 queued");
        Assert.DoesNotContain(Watchdog, app.Threads());

        await app.ReleaseAsync();

        using HttpResponseMessage answer = await held;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(7, await app.WaitForExitAsync());
        Assert.Contains(app.Log.Lines, static l => l.Contains("Shutdown complete: accepted 1, completed 1, ", StringComparison.Ordinal) && l.EndsWith("joined 1/1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_process_lifetime_a_second_signal_does_not_cut_the_stop_short()
    {
        await using ConsumerProcess app = await ConsumerProcess.StartAsync();
        Task<HttpResponseMessage> held = await app.HoldAsync();
        app.Send(UnixSignal.Terminate);
        await app.WaitForLineAsync("Shutdown: Draining");
        // The pause is longer than the time within which signals count as one. With process lifetime, the next one would count as a second signal.
        for (int i = 0; i < 3; i++)
        {
            await Task.Delay(200, TestContext.Current.CancellationToken);
            app.Send(UnixSignal.Terminate);
        }

        await app.ReleaseAsync();

        using HttpResponseMessage answer = await held;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(0, await app.WaitForExitAsync());
        Assert.DoesNotContain(app.Log.Lines, static l => l.Contains("cut short", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("7", 7)]
    public async Task Without_process_lifetime_lost_work_does_not_change_the_exit_code(string set, int expected)
    {
        await using ConsumerProcess app = await ConsumerProcess.StartAsync(["--ExitCode", set, .. LosesAtOnce]);
        Task<HttpResponseMessage> held = await app.HoldAsync();

        app.Send(UnixSignal.Terminate);

        using HttpResponseMessage answer = await held;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(expected, await app.WaitForExitAsync());
        Assert.Contains(app.Log.Lines, static l => l.Contains("Shutdown complete: accepted 1, completed 0, failed 0, cancelled 1, ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_process_lifetime_SIGHUP_ends_the_process_without_a_drain()
    {
        await using ConsumerProcess app = await ConsumerProcess.StartAsync();

        app.Send(UnixSignal.HangUp);

        Assert.Equal(128 + (int)UnixSignal.HangUp, await app.WaitForExitAsync());
        Assert.DoesNotContain(app.Log.Lines, static l => l.Contains("Shutdown", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(1, "SIGHUP")]
    [InlineData(15, "SIGTERM")]
    public async Task With_process_lifetime_a_stop_logs_its_signal_runs_a_watchdog_and_exits_with_0(int signal, string name)
    {
        await using ConsumerProcess app = await ConsumerProcess.StartAsync(AsksForIt);
        Task<HttpResponseMessage> held = await app.HoldAsync();
        app.Send((UnixSignal)signal);
        await app.WaitForLineAsync($"Shutdown: Draining, reason {name}, 1 in flight, 0 queued");
        Assert.Contains(Watchdog, app.Threads());

        await app.ReleaseAsync();

        using HttpResponseMessage answer = await held;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(0, await app.WaitForExitAsync());
        Assert.Contains(app.Log.Lines, static l => l.Contains("Shutdown complete: exit 0, accepted 1, completed 1, ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("7")]
    public async Task With_process_lifetime_lost_work_sets_the_exit_code_to_3(string set)
    {
        await using ConsumerProcess app = await ConsumerProcess.StartAsync(["--ExitCode", set, .. AsksForIt, .. LosesAtOnce]);
        Task<HttpResponseMessage> held = await app.HoldAsync();

        app.Send(UnixSignal.Terminate);

        using HttpResponseMessage answer = await held;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(3, await app.WaitForExitAsync());
        Assert.Contains(app.Log.Lines, static l => l.Contains("Shutdown complete: exit 3, accepted 1, ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_process_lifetime_a_second_signal_ends_the_process()
    {
        // The app then has 0.7 s to log the reason.
        await MachineLoad.TryAgainAsync(SaysWhyAsync, "the log does not say why the stop is cut short");

        static async Task<bool> SaysWhyAsync()
        {
            await using ConsumerProcess app = await ConsumerProcess.StartAsync(AsksForIt);
            Task<HttpResponseMessage> held = await app.HoldAsync();
            app.Send(UnixSignal.Terminate);
            await app.WaitForLineAsync("Shutdown: Draining");
            await Task.Delay(300, TestContext.Current.CancellationToken); // two signals within 150 ms count as one

            app.Send(UnixSignal.Terminate);

            Assert.Equal(143, await app.WaitForExitAsync());
            await Record.ExceptionAsync(() => held);
            return app.Log.Lines.Any(static l => l.Contains("The stop is cut short: SIGTERM", StringComparison.Ordinal));
        }
    }
}
