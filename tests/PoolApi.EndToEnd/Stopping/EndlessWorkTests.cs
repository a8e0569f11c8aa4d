using System.Diagnostics;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>Endless work is cancelled at the deadline. Work that ignores cancellation is abandoned, and the log names it.</summary>
public sealed class EndlessWorkTests
{
    private const string Endless = "/v1/diagnostics/sleep?ms=3600000";

    [Fact]
    public async Task Work_that_observes_cancellation_is_cancelled_at_the_deadline_and_the_exit_code_is_3()
    {
        var (lameDuck, drain) = (TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1));
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot,
            "--Pool:Workers 2", $"--Shutdown:LameDuck {lameDuck:c}", $"--Shutdown:Drain {drain:c}", "--Shutdown:Cancel 00:05:00", PoolApiProcess.Diagnostics);
        var running = service.Api.PostAsync(Endless);
        await service.SeeWorkersAsync(view => view.Busy == 1, "the endless item");

        var clock = Stopwatch.StartNew();
        service.Send(UnixSignal.Terminate);

        (await running).MustBeProblem(503, "state-unknown");
        Assert.Equal(new ShutdownSummary(3, 1, 0, 0, 1, 0, 0, 0, 0, 2, 2), await service.ReadSummaryAsync());
        TestContext.Current.TestOutputHelper!.WriteLine($"exit after {clock.Elapsed.TotalSeconds:F2} s");
        Assert.InRange(clock.Elapsed, lameDuck + drain, lameDuck + drain + TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Work_that_ignores_cancellation_is_abandoned_and_logged_and_the_exit_code_is_4()
    {
        // The services are almost idle while they wait for their deadlines, so several run at once.
        var options = new ParallelOptions { MaxDegreeOfParallelism = 7, CancellationToken = TestContext.Current.CancellationToken };
        await Parallel.ForAsync(0, 20, options, async (_, _) => await LeaveBehindAsync());
    }

    private static async Task LeaveBehindAsync()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", "--Shutdown:LameDuck 00:00:00.100", "--Shutdown:Drain 00:00:00.200",
            "--Shutdown:Cancel 00:00:00.100", PoolApiProcess.Diagnostics);
        var running = service.Api.PostAsync(Endless + "&uncooperative=true");
        var view = await service.SeeWorkersAsync(v => v.Busy == 1, "the endless item");
        string stuck = view.Workers.Single(worker => worker.State != "idle").Name;

        var clock = Stopwatch.StartNew();
        service.Send(UnixSignal.Terminate);

        (await running).MustBeProblem(503, "state-unknown");
        Assert.Equal(new ShutdownSummary(4, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2), await service.ReadSummaryAsync());
        Assert.Single(service.Log.Lines, line => Regex.IsMatch(line, $@"\({stuck}\) could not be joined: it has been running diagnostics/sleep"));
        TestContext.Current.TestOutputHelper!.WriteLine($"exit after {clock.Elapsed.TotalSeconds:F2} s");
        // 0.4 s by the settings, and 2 s for the join. The watchdog would end the process with exit code 70.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0.4, 60);
    }
}
