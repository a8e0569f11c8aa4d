using System.Diagnostics;

namespace PoolApi.EndToEnd.Load;

/// <summary>P3: a request that does not fit is refused at once, and a client that disconnects frees its place at once.</summary>
public sealed class FullQueueTests
{
    [Fact]
    public async Task A_full_queue_refuses_requests_at_once_and_accepts_new_ones_after_its_clients_disconnect()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 1", "--Pool:QueueCapacity 100", "--Pool:MaxQueueTime 00:10:00", PoolApiProcess.Diagnostics);
        using var firstLeaves = new CancellationTokenSource();
        var first = service.Api.PostUntilAsync("/v1/diagnostics/sleep?ms=3600000", firstLeaves.Token);
        await service.SeeWorkersAsync(view => view.Busy == 1, "a busy worker");
        using var leaving = new CancellationTokenSource();
        var hundred = Enumerable.Range(0, 100)
            .Select(_ => service.Api.PostUntilAsync("/v1/diagnostics/sleep?ms=1", leaving.Token)).ToArray();
        await service.SeeWorkersAsync(view => view.QueueLength == 100, "a full queue");

        var times = new List<double>();
        using var next = await RawConnection.OpenAsync(service.Api.Port);
        for (int i = 0; i < 100; i++)
        {
            var clock = Stopwatch.StartNew();
            var refused = await next.AskAsync("POST", "/v1/diagnostics/noop", "127.0.0.1");
            times.Add(clock.Elapsed.TotalMilliseconds);
            refused.MustBeProblem(503, "queue-full");
            refused.MustSayRetryAfter();
        }

        times.Sort();
        TestContext.Current.TestOutputHelper!.WriteLine($"refusals: median {times[50]:F1} ms, p99 {times[98]:F1} ms");
        // 20 ms at p99 on an idle machine. A request that waited for a place would wait for ten minutes.
        Assert.InRange(times[98], 0, 60_000);

        var left = Stopwatch.StartNew();
        await leaving.CancelAsync();
        await service.SeeWorkersAsync(view => view.QueueLength == 0, "an empty queue");
        TestContext.Current.TestOutputHelper!.WriteLine($"all gone after {left.ElapsedMilliseconds} ms");
        // 100 ms on an idle machine, including the requests for the view.
        Assert.InRange(left.ElapsedMilliseconds, 0, 60_000);
        foreach (var gone in hundred)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);

        var others = await service.QueueAsync(100, 1);
        await firstLeaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.All(await Task.WhenAll(others), answer => answer.MustBe(200));
        var summary = await service.StopAsync();
        Assert.Equal((0, 201, 100), (summary.Exit, summary.Accepted, summary.Completed));
        // The first request ran when its client disconnected, so it may count as cancelled.
        Assert.Equal(101, summary.ClientGone + summary.Cancelled);
        Assert.InRange(summary.ClientGone, 100, 101);
    }
}
