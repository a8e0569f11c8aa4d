namespace PoolApi.EndToEnd.Connections;

/// <summary>The shipped configurations of reverse proxies: links and streams work, also under a prefix that the proxy strips, and a
/// stop of one of two instances under load loses no request.</summary>
public abstract class ReverseProxyTests
{
    private const int Clients = 8;

    // Two loopback addresses stand for two machines, so both instances have the same ports.
    private const string One = "127.0.0.2";
    private const string Two = "127.0.0.3";

    private static readonly string[] Work = ["/v1/diagnostics/noop", "/thumbs/v1/diagnostics/noop", "/v1/diagnostics/sleep?ms=20"];

    /// <summary>The lame duck of the instances. A proxy with health checks needs this time to notice the stop.</summary>
    private protected abstract string LameDuck { get; }

    /// <summary>The configuration of the proxy, without the addresses of the instances.</summary>
    private protected abstract ProxyServer.Configuration Configure(int port, int management);

    [Fact]
    public async Task Links_and_streams_work_through_the_proxy_and_a_stop_of_one_instance_loses_no_request()
    {
        using var folder = new TemporaryFolder();
        int api = FreePorts.Next();
        int management = FreePorts.Next();
        await using var proxy = await ProxyServer.StartAsync(
            Configure(FreePorts.Next(), management).With("10.0.0.11:8080", $"{One}:{api}").With("10.0.0.12:8080", $"{Two}:{api}"));
        string[] settings =
        [
            $"--Shutdown:LameDuck {LameDuck}", $"--Jobs:Path {Path.Combine(folder.Path, "jobs.db")}", "--Pool:Workers 2",
            "--ForwardedHeaders:KnownProxies 127.0.0.0/8", PoolApiProcess.Diagnostics,
        ];
        var starting = (string[])[One, Two];
        var instances = await Task.WhenAll(starting.Select(host =>
            PoolApiProcess.StartAtAsync(ServiceForm.Any, host, api, management, settings)));
        await using var one = instances[0];
        await using var two = instances[1];
        // A proxy that checked the instances during their start may still treat them as down.
        await Eventually.SeesAsync(
            () => proxy.Web.PostAsync("/v1/diagnostics/noop"), answer => answer.Status == 200, "the proxy to find an instance");

        foreach (string prefix in (string[])["", "/thumbs"])
            await FollowLinksAsync(proxy.Web, prefix);
        await StopOneAsync(proxy, one);
    }

    private static async Task FollowLinksAsync(Endpoint proxy, string prefix)
    {
        Assert.Contains($"'{proxy.Url}{prefix}/v1/thumbnails?", (await proxy.GetAsync($"{prefix}/")).MustBe(200).Text, StringComparison.Ordinal);

        var image = new ByteArrayContent(Png.Gradient(300, 200));
        var quick = (await proxy.PostWithAsync($"{prefix}/v1/thumbnails?width=16", image, "Prefer: respond-async, wait=60")).MustBe(200);
        string location = quick.Follow(quick.Header("Content-Location")!);
        Assert.StartsWith($"{prefix}/v1/jobs/", location, StringComparison.Ordinal);
        Assert.Equal(quick.Body, (await proxy.GetAsync(location)).MustBe(200).Body);

        var accepted = (await proxy.PostWithAsync($"{prefix}/v1/diagnostics/sleep?ms=600000", null, "Prefer: respond-async")).MustBe(202);
        string self = accepted.Follow(accepted.Header("Location")!);
        Assert.StartsWith($"{prefix}/v1/jobs/", self, StringComparison.Ordinal);
        var job = (await proxy.GetAsync(self)).MustBe(200);
        var links = job.Json().GetProperty("links");
        Assert.Equal(self, job.Follow(links.GetProperty("self").GetString()!));

        // The first event arrives while the stream is open, so the proxy does not buffer it.
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stream = proxy.ReadToEndAsync(job.Follow(links.GetProperty("events").GetString()!), begun.SetResult);
        await begun.Task.Patiently();
        Assert.False(stream.IsCompleted);
        Assert.InRange((await proxy.SendAsync(new HttpRequestMessage(HttpMethod.Delete, self))).Status, 202, 204);
        Assert.Contains("\"state\":\"cancelled\"", await stream.Patiently(), StringComparison.Ordinal);
        (await proxy.GetAsync(job.Follow(links.GetProperty("result").GetString()!))).MustBeProblem(409, "job-cancelled");

        var list = (await proxy.GetAsync($"{prefix}/v1/jobs?limit=1")).MustBe(200);
        Assert.Equal(self, list.Follow(list.Json().GetProperty("jobs")[0].GetProperty("links").GetProperty("self").GetString()!));
        var next = (await proxy.GetAsync(list.Follow(list.Json().GetProperty("next").GetString()!))).MustBe(200);
        Assert.Equal(1, next.Json().GetProperty("jobs").GetArrayLength());
    }

    private static async Task StopOneAsync(ProxyServer proxy, PoolApiProcess stopped)
    {
        int answered = 0;
        int afterwards = 0;
        var lost = new List<string>();
        using var end = new CancellationTokenSource();
        bool isStopped = false;
        var clients = Enumerable.Range(0, Clients).Select(ClientAsync).ToArray();
        await Eventually.SeesAsync(() => Task.FromResult(Volatile.Read(ref answered)), count => count > 10 * Clients, "some answers");

        var summary = await stopped.StopAsync();
        Volatile.Write(ref isStopped, true);
        await Eventually.SeesAsync(() => Task.FromResult(Volatile.Read(ref afterwards)), count => count > 10 * Clients, "answers after the stop");
        await end.CancelAsync();
        await Task.WhenAll(clients);

        TestContext.Current.TestOutputHelper!.WriteLine($"{answered} requests, {afterwards} after the stop of one instance; {lost.Count} lost");
        Assert.True(lost.Count == 0, $"{lost.Count} of {answered + lost.Count} lost: {string.Join('\n', lost.Take(5))}\n{proxy.Log}");
        Assert.Equal(0, summary.Exit);

        async Task ClientAsync(int index)
        {
            using var client = new KeepAliveClient(proxy.Web.Port);
            for (int i = index; !end.IsCancellationRequested; i++)
            {
                bool after = Volatile.Read(ref isStopped);
                var answer = await client.PostAsync(Work[i % Work.Length]);
                if (answer?.Status == 200)
                {
                    Interlocked.Increment(ref answered);
                    if (after)
                        Interlocked.Increment(ref afterwards);
                }
                else
                {
                    lock (lost)
                        lost.Add(answer is null ? "no answer" : $"{answer.Status} {answer.Text}");
                }

                await Task.Delay(10, TestContext.Current.CancellationToken); // the pace of a client
            }
        }
    }
}

/// <summary>deploy/nginx. It has no health checks and needs no lame duck: it repeats a request that a stopping instance refuses.</summary>
public sealed class NginxTests : ReverseProxyTests
{
    private protected override string LameDuck => "00:00:00";

    private protected override ProxyServer.Configuration Configure(int port, int management) =>
        new ProxyServer.Configuration("nginx", "nginx/poolapi.conf", port, Arguments).With("listen 80;", $"listen 127.0.0.1:{port};");

    internal static string[] Arguments(string folder, string file) => NginxCommand.Arguments(folder, $"include {file};");
}

/// <summary>deploy/haproxy. It checks the instances' health twice a second.</summary>
public sealed class HAProxyTests : ReverseProxyTests
{
    private protected override string LameDuck => $"{MachineLoad.Stretch(TimeSpan.FromSeconds(8)):c}";

    private protected override ProxyServer.Configuration Configure(int port, int management) =>
        new ProxyServer.Configuration("haproxy", "haproxy/haproxy.cfg", port, static (_, file) => ["-db", "-f", file])
            .With("bind :80", $"bind 127.0.0.1:{port}").With("port 8081", $"port {management}");
}

/// <summary>deploy/caddy. It checks the instances' health twice a second.</summary>
public sealed class CaddyTests : ReverseProxyTests
{
    private protected override string LameDuck => $"{MachineLoad.Stretch(TimeSpan.FromSeconds(8)):c}";

    private protected override ProxyServer.Configuration Configure(int port, int management) =>
        new ProxyServer.Configuration("caddy", "caddy/Caddyfile", port, static (_, file) => ["run", "--adapter", "caddyfile", "--config", file])
            // By default all Caddy processes of a machine use the same administration port.
            .With("(poolapi) {", "{\n\tadmin off\n}\n\n(poolapi) {").With(":80 {", $"http://127.0.0.1:{port} {{\n\tbind 127.0.0.1")
            .With("health_port 8081", $"health_port {management}");
}
