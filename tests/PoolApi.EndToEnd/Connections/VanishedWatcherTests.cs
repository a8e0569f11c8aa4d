using System.Diagnostics;

namespace PoolApi.EndToEnd.Connections;

/// <summary>A watcher whose machine has lost its power or its network sends nothing, and its connection looks open. Only the kernel can detect this:
/// by probes if the service sends nothing, and by a limit on unacknowledged bytes if it sends something.</summary>
public sealed class VanishedWatcherTests
{
    // The promise is a minute. The rest is for a busy machine. By its default the kernel would take a quarter of an hour.
    private const int Seconds = 75;

    // A scrape counts itself.
    private const int Scrape = 1;

    [Fact]
    public async Task The_service_drops_watchers_whose_network_is_cut_and_keeps_idle_ones()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        string later = $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}";
        var job = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", later);
        await using var vanishing = new ClientMachine();
        await using var staying = new ClientMachine();
        // The service sends something every second or more often.
        await vanishing.SendAsync(service.Management, "GET /v1/workers/stream");
        await vanishing.SendAsync(service.Management, "GET /stream");
        // The service sends only a heartbeat every 15 seconds, because the job is not due and so does not change.
        await vanishing.SendAsync(service.Api, $"GET /v1/jobs/{job}/events");
        var streaming = await staying.SendAsync(service.Api, $"GET /v1/jobs/{job}/events");
        // The service sends nothing.
        await vanishing.SendAsync(service.Api, $"GET /v1/jobs/{job}", "Prefer: wait=300");
        await vanishing.SendAsync(service.Api, "POST /v1/diagnostics/noop", "Prefer: respond-async, wait=300", later);
        var answered = await staying.SendAsync(service.Api, $"GET /v1/jobs/{job}", "Prefer: wait=300");
        await Eventually.SeesAsync(RequestsAsync, requests => requests == vanishing.Requests + staying.Requests, "all watchers to be connected");

        await vanishing.CutOffAsync();
        var clock = Stopwatch.StartNew();

        await Eventually.SeesAsync(
            RequestsAsync, requests => requests == staying.Requests, "the vanished watchers to be gone, and only these",
            seconds: MachineLoad.StretchSeconds(Seconds), pause: TimeSpan.FromMilliseconds(500));
        TestContext.Current.TestOutputHelper!.WriteLine($"the last of them was gone after {clock.Elapsed.TotalSeconds:F1} s");
        // The other client has read nothing all the time. Its kernel has answered the probes.
        (await service.Api.CancelJobAsync(job)).MustBe(204);
        foreach (var watcher in (RawConnection[])[streaming, answered])
            Assert.Contains("cancelled", await watcher.ReadResponseAsync(), StringComparison.Ordinal);

        async Task<int> RequestsAsync() => (int)(await service.MetricsAsync()).Sum("http_server_active_requests") - Scrape;
    }
}
