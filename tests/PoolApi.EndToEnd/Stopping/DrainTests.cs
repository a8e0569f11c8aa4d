using System.Globalization;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>P4: a stop finishes accepted work, then joins every thread, and logs the result.</summary>
public sealed partial class DrainTests
{
    [Theory, ClassData(typeof(BothForms))]
    public async Task Every_accepted_request_is_answered_before_the_process_ends(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var all = Enumerable.Range(0, 22).Select(_ => service.Api.PostAsync("/v1/diagnostics/sleep?ms=200")).ToArray();
        // 2 items run and 20 are queued. On a slow machine some have ended already. All 22 must be accepted.
        await service.SeeWorkersAsync(
            view => view.QueueLength + view.Busy + view.Workers.Sum(worker => worker.Completed) - 1 >= 22, "22 accepted items");

        service.Send(UnixSignal.Terminate);

        Assert.All(await Task.WhenAll(all), answer => answer.MustBe(200));
        var summary = await service.ReadSummaryAsync();
        Assert.Equal(new ShutdownSummary(0, 23, 23, 0, 0, 0, 0, 0, 0, 2, 2), summary);
        foreach (int id in new[] { 0, 1 })
            Assert.Single(service.Log.Lines, line => Regex.IsMatch(line, $@"Shutting down worker {id}\s*$"));
        Assert.False(Directory.Exists($"/proc/{service.Id}"), "the process is still there");
        MustLogTransitions(service.Log.Lines, "draining", "joining");
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task During_a_drain_new_work_is_refused_on_every_connection_and_readyz_answers_503(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        string host = $"127.0.0.1:{service.Api.Port}";
        using var open = await RawConnection.OpenAsync(service.Api.Port);
        (await open.AskAsync("POST", "/v1/diagnostics/noop", host)).MustBe(200);
        using var other = await RawConnection.OpenAsync(service.Api.Port);
        (await other.AskAsync("POST", "/v1/diagnostics/noop", host)).MustBe(200);
        var running = await service.OccupyAsync(1, 8000);

        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: draining");

        (await service.Management.GetAsync("/readyz")).MustBe(503);
        (await service.Management.GetAsync("/livez")).MustBe(200);
        Assert.Equal("draining", (await service.WorkersAsync()).State);
        var refused = await open.AskAsync("POST", "/v1/diagnostics/noop", host);
        refused.MustBeProblem(503, "draining");
        refused.MustSayRetryAfter();
        Assert.Equal("close", refused.Header("Connection"), ignoreCase: true);
        // A request with a body on a new connection gets the same answer.
        (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(8, 8))).MustBeProblem(503, "draining");
        Assert.False(running[0].IsCompleted, "the drain was over before it could be watched");
        (await running[0]).MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 3, 3, 0, 0, 0, 0, 0, 0, 1, 1), await service.ReadSummaryAsync());
    }

    [Fact]
    public async Task An_idle_service_does_not_wait_for_its_deadline()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Shutdown:Drain 00:05:00");
        // An open connection without a request must not delay the stop either.
        using var open = await RawConnection.OpenAsync(service.Api.Port);
        await open.AskAsync("GET", "/", "127.0.0.1");

        service.Send(UnixSignal.Terminate);

        Assert.Equal(0, await service.WaitForExitAsync());
    }

    [Fact]
    public async Task The_start_of_the_drain_is_logged_with_the_numbers_of_running_and_queued_items()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 1500);
        var waiting = await service.QueueAsync(2, 1);

        service.Send(UnixSignal.Terminate);
        await Task.WhenAll([.. running, .. waiting]);
        await service.ReadSummaryAsync();

        var draining = Transitions(service.Log.Lines).First();
        Assert.Equal("draining", draining.State);
        Assert.Equal((1, 2), (draining.InFlight, draining.Queued));
    }

    private static void MustLogTransitions(IReadOnlyList<string> log, params string[] states) =>
        Assert.Equal(states, Transitions(log).Select(transition => transition.State).Where(states.Contains));

    private static IEnumerable<(string State, int InFlight, int Queued)> Transitions(IReadOnlyList<string> log) =>
        log.Select(line => Transition().Match(line)).Where(match => match.Success).Select(match => (
            match.Groups["state"].Value.ToLowerInvariant(),
            int.Parse(match.Groups["inflight"].Value, CultureInfo.InvariantCulture),
            int.Parse(match.Groups["queued"].Value, CultureInfo.InvariantCulture)));

    [GeneratedRegex(@"Shutdown: (?<state>\w+), reason .+, (?<inflight>\d+) in flight, (?<queued>\d+) queued, [\d.]+ ms\s*$")]
    private static partial Regex Transition();
}
