using System.Diagnostics;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>P4: a drain finishes accepted work. Later requests are refused at once and do not run.</summary>
public sealed class DrainingTests
{
    [Fact]
    public async Task A_drain_answers_all_forty_running_and_queued_requests()
    {
        // Five rounds of 0.8 s, half of them after the lame duck.
        int milliseconds = LongTests.Wanted ? 3000 : 800;
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, [.. StopTimes.Settings, "--Pool:Workers 8", PoolApiProcess.Diagnostics]);
        var running = await service.OccupyAsync(8, milliseconds);
        var waiting = Enumerable.Range(0, 32).Select(_ => service.Api.PostAsync($"/v1/diagnostics/sleep?ms={milliseconds}")).ToArray();
        await service.SeeWorkersAsync(view => Accepted(view) == 40, "40 accepted items");

        service.Send(UnixSignal.Terminate);

        Assert.All(await Task.WhenAll([.. running, .. waiting]), answer => answer.MustBe(200));
        Assert.Equal(new ShutdownSummary(0, 40, 40, 0, 0, 0, 0, 0, 0, 8, 8), await service.ReadSummaryAsync());
        Assert.Contains(service.Log.Lines, line => line.Contains("Shutdown: Draining", StringComparison.Ordinal)
            && !line.Contains(" 0 in flight", StringComparison.Ordinal));

        static long Accepted(WorkersView view) => view.QueueLength + view.Busy + view.Workers.Sum(worker => worker.Completed);
    }

    [Fact]
    public async Task Work_on_an_open_connection_is_refused_at_once_and_not_run()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        var open = new List<RawConnection>();
        for (int i = 0; i < 20; i++)
        {
            open.Add(await RawConnection.OpenAsync(service.Api.Port));
            (await open[i].AskAsync("POST", "/v1/diagnostics/inline", "127.0.0.1")).MustBe(200);
        }

        // One worker is idle, so it could run work that must be refused.
        var running = await service.OccupyAsync(1, 8000);
        service.Send(UnixSignal.Terminate);
        await service.WaitForLineAsync("Shutdown: Draining");

        var times = new List<double>();
        foreach (var connection in open)
        {
            var clock = Stopwatch.StartNew();
            var refused = await connection.AskAsync("POST", "/v1/diagnostics/noop", "127.0.0.1");
            times.Add(clock.Elapsed.TotalMilliseconds);
            refused.MustBeProblem(503, "draining");
            refused.MustSayRetryAfter();
            Assert.True(refused.AsksToClose);
            Assert.Null(await connection.ReadAsync());
            connection.Dispose();
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"ms: {string.Join(' ', times.Order().Select(time => $"{time:F1}"))}");
        // The promise is 50 ms. The test only requires that no refusal waits for the end of the drain.
        Assert.False(running[0].IsCompleted, "the drain was over before it could be watched");
        (await running[0]).MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2), await service.ReadSummaryAsync());
    }

    [Fact]
    public async Task POST_drain_skips_the_lame_duck_and_drains_to_exit_code_0()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, ["--Pool:Workers 1", .. StopTimes.Settings, PoolApiProcess.Diagnostics]);
        var running = await service.OccupyAsync(1, 1000);

        (await service.Management.PostAsync("/drain")).MustBe(202);

        Assert.Equal("draining", (await service.WorkersAsync()).State);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBeProblem(503, "draining");
        (await running[0]).MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1), await service.ReadSummaryAsync());
        Assert.Contains(service.Log.Lines, line => line.Contains("Shutdown: Draining, reason drain,", StringComparison.Ordinal));
        Assert.DoesNotContain(service.Log.Lines, line => line.Contains("LameDuck", StringComparison.Ordinal));
    }

    [Fact]
    public async Task POST_drain_from_a_page_of_another_site_is_forbidden_and_does_nothing()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        foreach (string site in new[] { "cross-site", "same-site" })
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/drain");
            request.Headers.Add("Sec-Fetch-Site", site);

            (await service.Management.SendAsync(request)).MustBeProblem(403, "forbidden");
        }

        (await service.Api.PostAsync("/drain")).MustBeProblem(404);
        (await service.Management.GetAsync("/drain")).MustBeProblem(405);
        Assert.Equal("running", (await service.WorkersAsync()).State);
        (await service.Management.GetAsync("/readyz")).MustBe(200);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        Assert.DoesNotContain(service.Log.Lines, line => line.Contains("Shutdown:", StringComparison.Ordinal));
    }
}
