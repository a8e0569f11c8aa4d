using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Connections;

/// <summary>
/// The profile scale-out of docker-compose.yml, as processes: its Caddyfile and its settings, with other addresses. As in an update, each instance in
/// turn is drained under load and started again. No request fails and no job is lost.
/// </summary>
public sealed partial class ScaleOutTests(SharedPostgres postgres)
{
    private const int Clients = 6;
    private static readonly string[] Hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

    [Fact]
    public async Task Draining_each_instance_in_turn_under_load_loses_no_request_and_no_job()
    {
        string database = await postgres.NewDatabaseAsync();
        int api = FreePorts.Next();
        int management = FreePorts.Next();
        await using var proxy = await ProxyServer.StartAsync(Caddy(FreePorts.Next(), api, management));
        proxy.Web.RepeatsReads = true; // its instances keep their jobs in PostgreSQL
        string[] settings = [.. ComposeSettings(database), "--Pool:Workers 2", PoolApiProcess.Diagnostics];

        var instances = await Task.WhenAll(Hosts.Select(host => StartAsync(host)));
        var load = new Load(proxy);
        try
        {
            await Eventually.SeesAsync(
                () => proxy.Web.PostAsync("/v1/diagnostics/noop"), static answer => answer.Status == 200, "the proxy to find an instance");
            load.Start();
            for (int i = 0; i < instances.Length; i++)
            {
                await load.GoesOnAsync();
                var summary = await instances[i].StopAsync();
                Assert.Equal(0, summary.Exit);
                await load.GoesOnAsync();
                await instances[i].DisposeAsync();
                instances[i] = await StartAsync(Hosts[i]);
            }
            await load.GoesOnAsync();
            await load.StopAsync();

            Assert.True(load.Lost.Count == 0, $"{load.Lost.Count} of {load.Answered + load.Lost.Count} failed: {string.Join('\n', load.Lost.Take(5))}\n{proxy.Log}");
            Assert.True(load.Jobs.Count > Clients);
            foreach (Guid job in load.Jobs)
                Assert.Equal("succeeded", (await proxy.Web.JobEndsAsync(job)).State);
            TestContext.Current.TestOutputHelper!.WriteLine($"{load.Answered} requests, {load.Jobs.Count} jobs");
        }
        finally
        {
            await load.StopAsync();
            foreach (var instance in instances)
                await instance.DisposeAsync();
        }

        Task<PoolApiProcess> StartAsync(string host) => PoolApiProcess.StartAtAsync(ServiceForm.Any, host, api, management, settings);
    }

    private static ProxyServer.Configuration Caddy(int port, int api, int management)
    {
        var configuration = new ProxyServer.Configuration(
            "caddy", "caddy/scale-out.Caddyfile", port, static (_, file) => ["run", "--adapter", "caddyfile", "--config", file])
            // By default all Caddy processes of a machine use the same administration port.
            .With(":80 {", $"{{\n\tadmin off\n}}\n\nhttp://127.0.0.1:{port} {{\n\tbind 127.0.0.1").With("health_port 8081", $"health_port {management}");
        for (int i = 0; i < Hosts.Length; i++)
            configuration = configuration.With($"poolapi-{i + 1}:8080", $"{Hosts[i]}:{api}");
        return configuration;
    }

    /// <summary>The settings of the profile's instances, with the addresses of this test.</summary>
    private static IEnumerable<string> ComposeSettings(string database)
    {
        string compose = File.ReadAllText(Path.Combine(Repository.Root, "docker-compose.yml"));
        var settings = Setting().Matches(Block().Match(compose).Groups[1].Value)
            .ToDictionary(static match => match.Groups[1].Value.Replace("__", ":", StringComparison.Ordinal), static match => match.Groups[2].Value);
        Assert.Equal("postgres", settings["Jobs:Store"]);
        Assert.StartsWith("Host=postgres;", settings["Jobs:ConnectionString"], StringComparison.Ordinal);
        settings["Jobs:ConnectionString"] = database;
        Assert.Contains("172.16.0.0/12", settings["ForwardedHeaders:KnownProxies"], StringComparison.Ordinal);
        settings["ForwardedHeaders:KnownProxies"] = "127.0.0.0/8";
        return settings.Select(static setting => $"--{setting.Key} {setting.Value}");
    }

    [GeneratedRegex(@"&scale-out-settings\n((?:  .*\n)+)")]
    private static partial Regex Block();

    [GeneratedRegex("^  (\\w+): \"?([^\"\n]+)\"?$", RegexOptions.Multiline)]
    private static partial Regex Setting();

    /// <summary>Clients that send synchronous requests and post jobs.</summary>
    private sealed class Load(ProxyServer proxy)
    {
        private bool _isOver;
        private Task[] _clients = [];
        private int _answered;

        public int Answered => Volatile.Read(ref _answered);

        public List<string> Lost { get; } = [];

        public List<Guid> Jobs { get; } = [];

        public void Start() => _clients = [.. Enumerable.Range(0, Clients).Select(ClientAsync)];

        /// <summary>Waits for some answers that arrive from now on.</summary>
        public async Task GoesOnAsync()
        {
            int before = Answered;
            await Eventually.SeesAsync(() => Task.FromResult(Answered - before), static count => count > 5 * Clients, "answers");
        }

        public Task StopAsync()
        {
            Volatile.Write(ref _isOver, true);
            return Task.WhenAll(_clients);
        }

        private async Task ClientAsync(int index)
        {
            using var client = new KeepAliveClient(proxy.Web.Port);
            for (int i = index; !Volatile.Read(ref _isOver); i++)
            {
                bool asksForJob = i % 3 == 0;
                var answer = await client.PostAsync("/v1/diagnostics/sleep?ms=20", asksForJob ? "Prefer: respond-async\r\n" : "");
                lock (Lost)
                {
                    if (answer?.Status == (asksForJob ? 202 : 200))
                        _answered++;
                    else
                        Lost.Add(answer is null ? "no answer" : $"{answer.Status} {answer.Text}");
                    if (answer?.Status == 202)
                        Jobs.Add(JobView.Read(answer.Json()).Id);
                }
                await Task.Delay(80, TestContext.Current.CancellationToken); // the pace of a client
            }
        }
    }
}
