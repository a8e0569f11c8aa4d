using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using PoolApi.Management;
using PoolApi.Tests.Management;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Auth;

/// <summary>Without keys, the service accepts changes from its own machine only, and logs a warning if other machines can reach a port.</summary>
public sealed class OpenAccessTests
{
    private const string Open = "Everybody who reaches http://0.0.0.0:0 may ";

    [Fact]
    public async Task Without_keys_changes_are_accepted_from_this_machine_only()
    {
        IPAddress own = OwnAddress();
        await using ServiceApp app = ServiceApp.With(("Jobs:Store", "none"), ("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://0.0.0.0:0"));
        (_, int port) = PortTests.Start(app);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });

        using HttpResponseMessage refused = await client.PostAsync(new Uri($"http://{own}:{port}/drain"), null, ServiceApp.Token);
        await ServiceApp.AssertProblem(refused, 403, "forbidden");
        foreach (var (method, path) in CrossSiteTests.Changes(app))
        {
            using var change = new HttpRequestMessage(method, $"http://{own}:{port}{path}");
            using HttpResponseMessage answer = await client.SendAsync(change, ServiceApp.Token);
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, answer.StatusCode));
        }
        using HttpResponseMessage read = await client.GetAsync(new Uri($"http://{own}:{port}/v1/workers"), ServiceApp.Token);
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);

        using HttpResponseMessage accepted = await client.PostAsync(new Uri($"http://127.0.0.1:{port}/drain"), null, ServiceApp.Token);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
    }

    [Theory]
    [InlineData("ForwardedHeaders_Enabled", "true")]
    [InlineData("ForwardedHeaders:KnownProxies", "0.0.0.0/0")]
    public async Task Without_keys_X_Forwarded_For_cannot_make_a_remote_client_look_local(string key, string value)
    {
        IPAddress own = OwnAddress();
        await using ServiceApp app = ServiceApp.With(
            ("Jobs:Store", "none"), ("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://0.0.0.0:0"), (key, value));
        (_, int port) = PortTests.Start(app);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });

        await AssertRefused($"{own}", "127.0.0.1");
        await AssertRefused($"{own}", "::1");
        await AssertRefused($"{own}", "::ffff:127.0.0.1");
        await AssertRefused("127.0.0.1", $"{own}"); // a proxy on this machine, whose client is on another one
        using HttpResponseMessage accepted = await AskAsync("127.0.0.1", "127.0.0.1");
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);

        async Task AssertRefused(string host, string forwardedFor)
        {
            using HttpResponseMessage refused = await AskAsync(host, forwardedFor);
            await ServiceApp.AssertProblem(refused, 403, "forbidden");
        }

        async Task<HttpResponseMessage> AskAsync(string host, string forwardedFor)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{host}:{port}/drain") { Headers = { { "X-Forwarded-For", forwardedFor } } };
            return await client.SendAsync(request, ServiceApp.Token);
        }
    }

    [Theory]
    [InlineData("http://0.0.0.0:0", "http://127.0.0.2:0", null, 1, 0)]
    [InlineData("http://127.0.0.1:0", "http://0.0.0.0:0", null, 0, 1)]
    [InlineData("http://127.0.0.1:0", "http://127.0.0.2:0", null, 0, 0)]
    [InlineData("http://0.0.0.0:0", "http://127.0.0.2:0", "a-good-enough-secret", 0, 0)]
    [InlineData("http://127.0.0.1:0", "http://0.0.0.0:0", "a-good-enough-secret", 0, 0)]
    public async Task A_port_that_other_machines_reach_without_a_key_is_logged_once_as_a_warning(string urls, string management, string? key, int api, int managed)
    {
        ServiceApp app = ServiceApp.With(
            [("Jobs:Store", "none"), ("Urls", urls), ("Management:Urls", management), .. key is null ? [] : new[] { ("Auth:ApiKeys:alice", key) }]);
        await using (app) PortTests.Start(app); // starts and stops the service, which logs the warnings in between
        AssertWarnings(app.Lines, api, managed);
    }

    [Fact]
    public void An_address_shared_by_both_ports_is_logged_once_for_each_port()
    {
        IConfiguration both = new ConfigurationBuilder().AddInMemoryCollection(
            new Dictionary<string, string?> { ["Urls"] = "http://0.0.0.0:0", ["Management:Urls"] = "http://0.0.0.0:0" }).Build();
        var log = new CapturingLog();
        OpenAccessWarning.Write(ServerUrls.Read(both, []), log.For<OpenAccessTests>());
        AssertWarnings(log.Lines, 1, 1);
    }

    private static void AssertWarnings(IReadOnlyList<(LogLevel Level, string Text)> lines, int api, int managed)
    {
        Assert.Equal(Enumerable.Repeat(LogLevel.Warning, api), Levels("send work"));
        Assert.Equal(Enumerable.Repeat(LogLevel.Warning, managed), Levels("see every worker and job"));
        Assert.Equal(api + managed, lines.Count(static line => line.Text.StartsWith("Everybody who reaches", StringComparison.Ordinal)));

        IEnumerable<LogLevel> Levels(string what) =>
            lines.Where(line => line.Text.StartsWith(Open + what, StringComparison.Ordinal)).Select(static line => line.Level);
    }

    private static IPAddress OwnAddress()
    {
        IPAddress? own = NetworkInterface.GetAllNetworkInterfaces()
            .Where(static network => network.OperationalStatus == OperationalStatus.Up)
            .SelectMany(static network => network.GetIPProperties().UnicastAddresses)
            .Select(static address => address.Address)
            .FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        if (own is null) Tool.Missing("An address besides the loopback", "give the machine a network");
        return own;
    }
}
