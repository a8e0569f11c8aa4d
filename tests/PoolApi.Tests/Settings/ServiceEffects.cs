using PoolApi.Dashboard;
using PoolApi.Management;
using PoolApi.Tests.Service;
using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Threading;
using Effect = System.Func<System.Threading.Tasks.Task>;

namespace PoolApi.Tests.Settings;

/// <summary>Shows the effect of each setting of the service itself, other than those of the pool, of the stop and of the jobs.</summary>
internal static class ServiceEffects
{
    private const string Noop = "/v1/diagnostics/noop";
    private const string Key = "alice-has-this-key";

    public static readonly Dictionary<string, Effect> All = new()
    {
        ["Urls"] = async () =>
        {
            await using RunningService service = RunningService.With(("Urls", "http://127.0.0.3:0"));
            Assert.StartsWith("http://127.0.0.3:", service.Addresses[0], StringComparison.Ordinal);
        },
        ["Management:Urls"] = async () =>
        {
            await using RunningService service = RunningService.With(("Management:Urls", $"http://127.0.0.4:{FreePorts.Next()}"));
            Assert.StartsWith("http://127.0.0.4:", service.Addresses[1], StringComparison.Ordinal);
        },
        ["Management:AllowedHosts"] = async () =>
        {
            await using ServiceApp app = With(("Management:AllowedHosts", "ops.example"));
            Assert.Equal(200, await StatusAsync(app, "/livez", ("Host", "ops.example")));
            Assert.Equal(421, await StatusAsync(app, "/livez", ("Host", "evil.example")));
        },
        ["Auth:ApiKeys"] = async () =>
        {
            await using ServiceApp app = With(("Auth:ApiKeys:alice", Key));
            await AssertNeedsKeyAsync(app);
        },
        ["Auth:KeysFile"] = async () =>
        {
            using var folder = new TemporaryFolder();
            await File.WriteAllTextAsync(folder.File("keys.json"), $$"""{ "alice": "{{Key}}" }""", ServiceApp.Token);
            await using ServiceApp app = With(("Auth:KeysFile", folder.File("keys.json")));
            await AssertNeedsKeyAsync(app);
        },
        ["Auth:MaxConcurrency"] = async () =>
        {
            await using ServiceApp app = With(("Auth:ApiKeys:alice", Key), ("Auth:MaxConcurrency", "1"), ("Pool:Workers", "1"), ("Pool:MaxQueueTime", "-00:00:00.001"));
            using var gate = new Gate();
            Assert.NotNull(app.Server);
            var pool = app.Services.GetRequiredService<FixedThreadPool>();
            Task<string> busy = pool.RunAsync(() => gate.Pass()).AsTask();
            await gate.ArrivalAsync();
            Task<int> queued = StatusAsync(app, Noop, ("X-Api-Key", Key));
            await Patience.UntilAsync(() => pool.GetSnapshot().QueueLength == 1 || queued.IsCompleted, "the first request is queued");
            Assert.Equal(429, await StatusAsync(app, Noop, ("X-Api-Key", Key)));
            gate.Open();
            Assert.Equal(200, await queued.Patiently());
            await busy.Patiently();
        },
        ["Cors:Origins"] = async () =>
        {
            await using ServiceApp app = With(("Cors:Origins", "https://app.example"));
            using HttpResponseMessage answer = await SendAsync(app, Noop, ("Origin", "https://app.example"));
            Assert.Equal("https://app.example", Assert.Single(answer.Headers.GetValues("Access-Control-Allow-Origin")));
        },
        ["Dashboard:SlowItem"] = SeeSnapshotAsync,
        ["Dashboard:SnapshotDirectory"] = SeeSnapshotAsync,
        // Its effect takes as long as the cooldown.
        ["Dashboard:SnapshotCooldown"] = async () =>
        {
            await using ServiceApp app = With(("Dashboard:SnapshotCooldown", "00:00:07"));
            var options = new PoolDashboardOptions();
            app.Services.GetRequiredService<DashboardSettings>().AddTo(options);
            Assert.Equal(TimeSpan.FromSeconds(7), options.SnapshotCooldown);
        },
        ["Thumbnails:MaxDecodeTime"] = () => SeeRefusedImageAsync(
            JpegFile.Progressive(1024, 1024, 100), "at most 0.01 s are accepted", ("Thumbnails:MaxDecodeTime", "00:00:00.0100000")),
        ["Thumbnails:MaxDecodeMegabytes"] = () => SeeRefusedImageAsync(
            JpegFile.Progressive(4096, 4096, 1), "at most 16 are accepted", ("Thumbnails:MaxDecodeMegabytes", "16")),
        ["Workloads:Diagnostics"] = async () =>
        {
            await using ServiceApp app = With(("Workloads:Diagnostics", "false"));
            Assert.Equal(404, await StatusAsync(app, Noop));
        },
    };

    private static ServiceApp With(params ReadOnlySpan<(string, string)> settings) => ServiceApp.With([("Jobs:Store", "none"), .. settings]);

    private static async Task<HttpResponseMessage> SendAsync(ServiceApp app, string path, params (string Name, string Value)[] headers)
    {
        using HttpClient client = app.CreateClient();
        client.Timeout = Patience.Long;
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return await client.SendAsync(request, ServiceApp.Token);
    }

    private static async Task<int> StatusAsync(ServiceApp app, string path, params (string, string)[] headers)
    {
        using HttpResponseMessage answer = await SendAsync(app, path, headers);
        return (int)answer.StatusCode;
    }

    private static async Task AssertNeedsKeyAsync(ServiceApp app)
    {
        Assert.Equal(200, await StatusAsync(app, Noop, ("X-Api-Key", Key)));
        Assert.Equal(401, await StatusAsync(app, Noop));
    }

    private static async Task SeeRefusedImageAsync(byte[] image, string says, (string, string) setting)
    {
        await using ServiceApp app = With(setting);
        using HttpClient client = app.CreateClient();
        using var body = new ByteArrayContent(image);
        using HttpResponseMessage refused = await client.PostAsync("/v1/thumbnails?width=160", body, ServiceApp.Token);
        await ServiceApp.AssertProblem(refused, 422, "unprocessable-image", "body", says);
    }

    /// <summary>A slow item leaves a snapshot in the directory, which the service makes.</summary>
    private static async Task SeeSnapshotAsync()
    {
        using var folder = new TemporaryFolder();
        string directory = folder.File("made");
        await using RunningService service = RunningService.With(
            ("Dashboard:SlowItem", "00:00:00.0500000"), ("Dashboard:SnapshotDirectory", directory), ("Dashboard:SnapshotCooldown", "01:00:00"));
        Assert.StartsWith(
            "HTTP/1.1 200",
            await service.ApiAsync("POST /v1/diagnostics/sleep?ms=100 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            StringComparison.Ordinal);
        await Patience.UntilAsync(() => Directory.GetFiles(directory, "*.json.gz").Length > 0, "A snapshot");
        Assert.Contains("slow-item", Path.GetFileName(Assert.Single(Directory.GetFiles(directory, "*.json.gz"))), StringComparison.Ordinal);
        Assert.Contains("poolapi_snapshot_taken_total{trigger=\"slow-item\"} 1", await service.GetAsync("/metrics"), StringComparison.Ordinal);
    }
}
