using PoolApi.Management;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Management;

/// <summary>A web page of another site can neither read the management routes nor change anything there.</summary>
public class ManagementHostTests
{
    private const string Names = "pool.example;*.ops.example";

    [Theory]
    [InlineData("127.0.0.1:8081", true)]
    [InlineData("10.20.30.40", true)]
    [InlineData("[::1]:8081", true)]
    [InlineData("[fe80::1]", true)]
    [InlineData("localhost:8081", true)]
    [InlineData("LOCALHOST.", true)]
    [InlineData("pool.localhost", true)]
    [InlineData("pool.example", true)]
    [InlineData("POOL.example.:443", true)]
    [InlineData("a.ops.example", true)]
    [InlineData("a.b.ops.example", true)]
    [InlineData("", true)] // HTTP/1.0; no browser sends that
    [InlineData("evil.example:8081", false)]
    [InlineData("ops.example", false)]
    [InlineData("evilops.example", false)]
    [InlineData("pool.example.evil.example", false)]
    [InlineData("evilpool.example", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("notlocalhost", false)]
    [InlineData("127.1", false)]
    public void A_host_is_allowed_if_it_is_an_address_or_localhost_or_configured(string host, bool isAllowed) =>
        Assert.Equal(isAllowed, Hosts(Names).Allow(new HostString(host)));

    [Theory]
    [InlineData("127.0.0.1:8081", null, null, false)] // a program
    [InlineData("127.0.0.1:8081", "http://127.0.0.1:8081", null, false)]
    [InlineData("127.0.0.1:8081", "http://127.0.0.1:8081", "same-origin", false)]
    [InlineData("127.0.0.1:8081", null, "none", false)]
    [InlineData("[::1]:8081", "http://[::1]:8081", null, false)]
    [InlineData("pool.example", "https://pool.example", "same-origin", false)] // a TLS proxy that keeps Host
    [InlineData("127.0.0.1:8081", "https://pool.example", "same-origin", false)] // a TLS proxy that replaces Host
    [InlineData("pool.example", "https://pool.example:8443", null, false)]
    [InlineData("127.0.0.1:8081", "https://evil.example", null, true)]
    [InlineData("evil.example:8081", "http://evil.example:8081", "same-origin", true)] // DNS rebinding
    [InlineData("127.0.0.1:8081", "http://127.0.0.1:3000", null, true)] // another program's page
    [InlineData("127.0.0.1:8081", "http://127.0.0.1:3000", "same-site", true)]
    [InlineData("10.0.0.5:8081", "http://10.0.0.9", null, true)]
    [InlineData("localhost:8081", "http://127.0.0.1:8081", null, true)]
    [InlineData("localhost:8081", "http://localhost:8081", null, false)]
    [InlineData("LOCALHOST:8081", "http://localhost:8081", null, false)]
    [InlineData("localhost:8081", "http://localhost:3000", null, true)]
    [InlineData("localhost:8081", "https://localhost:8081", null, true)]
    [InlineData("localhost:8081", "http://pool.localhost:8081", null, true)]
    [InlineData("127.0.0.1:8081", "http://localhost:3000", null, true)]
    [InlineData("localhost:8081", "http://localhost.:3000", null, true)]
    [InlineData("127.0.0.1:8081", null, "cross-site", true)]
    [InlineData("127.0.0.1:8081", "null", null, true)]
    [InlineData("127.0.0.1:8081", "", null, true)]
    [InlineData("127.0.0.1:8081", "file://", null, true)]
    [InlineData("pool.example", "https://pool.example", "same-site", true)]
    public void The_Origin_and_Sec_Fetch_Site_headers_show_whether_a_request_is_cross_site(string host, string? origin, string? site, bool isCrossSite)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = ("http", new HostString(host));
        if (origin is not null) request.Headers.Origin = origin;
        if (site is not null) request.Headers["Sec-Fetch-Site"] = site;
        Assert.Equal(isCrossSite, Hosts(Names).IsCrossSite(request));
    }

    [Theory]
    [InlineData("pool.internal:8081", "http://pool.internal:8081", false)]
    [InlineData("pool.internal:8081", "http://pool.internal:3000", true)] // another program under the same name
    [InlineData("127.0.0.1:8081", "https://pool.internal", true)]
    [InlineData("127.0.0.1:8081", "https://pool.example", false)]
    public void The_bound_host_name_is_allowed_and_an_origin_on_another_port_is_cross_site(string host, string origin, bool isCrossSite)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = ("http", new HostString(host));
        request.Headers.Origin = origin;
        ManagementHosts hosts = Hosts(Names, url: "http://pool.internal:8081");
        Assert.True(hosts.Allow(request.Host));
        Assert.Equal(isCrossSite, hosts.IsCrossSite(request));
    }

    [Fact]
    public void A_configured_localhost_allows_origins_on_any_port()
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = ("http", new HostString("127.0.0.1:8081")); // a proxy on this machine has replaced it
        request.Headers.Origin = "https://localhost:8443";
        Assert.False(Hosts("localhost").IsCrossSite(request));
    }

    [Fact]
    public void A_request_with_two_origins_is_cross_site()
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = ("http", new HostString("127.0.0.1"));
        request.Headers.Origin = new(["http://127.0.0.1", "http://evil.example"]);
        Assert.True(Hosts(Names).IsCrossSite(request));
    }

    [Theory]
    [InlineData("*")]
    [InlineData("pool.example:8081")]
    [InlineData("http://pool.example")]
    [InlineData("pool.example,other.example")]
    [InlineData("pool.example;*")]
    [InlineData("a.*.example")]
    public void An_invalid_list_of_allowed_hosts_is_a_fault(string value)
    {
        var faults = new List<string>();
        Hosts(value, faults);
        Assert.StartsWith($"Management:AllowedHosts is '{value}'; it must be host names without port", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_management_route_refuses_a_host_that_is_not_allowed_and_the_API_accepts_every_host()
    {
        await using ServiceApp app = ServiceApp.With(
            ("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"), ("Management:AllowedHosts", "pool.example"));
        (int api, int management) = PortTests.Start(app);
        foreach (string route in (string[])[.. PortTests.ManagementRoutes, "GET /", "GET /v1/workers/stream", "POST /drain", "GET /drain", "OPTIONS /drain", "GET /nothing"])
        {
            string answer = await PortTests.Get("127.0.0.2", management, route, "evil.example");
            Assert.StartsWith("HTTP/1.1 421 ", answer, StringComparison.Ordinal);
            Assert.Contains("urn:poolapi:problem:host-not-allowed", answer, StringComparison.Ordinal);
            Assert.Contains("Management:AllowedHosts", answer, StringComparison.Ordinal);
        }
        Assert.Equal(200, await PortTests.Ask("127.0.0.2", management, "GET /metrics", "pool.example"));
        Assert.Equal(200, await PortTests.Ask("127.0.0.1", api, "GET /openapi/v1.json", "evil.example"));
        Assert.Equal(404, await PortTests.Ask("127.0.0.1", api, "POST /drain", "127.0.0.1"));
    }

    [Fact]
    public async Task On_a_shared_port_only_the_management_routes_require_an_allowed_host()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.1:0"));
        app.UseKestrel();
        app.StartServer();
        int port = PortTests.Port(app);
        foreach (string route in PortTests.ManagementRoutes) Assert.Equal(421, await PortTests.Ask("127.0.0.1", port, route, "evil.example"));
        Assert.Equal(421, await PortTests.Ask("127.0.0.1", port, "POST /drain", "evil.example"));
        Assert.Equal(200, await PortTests.Ask("127.0.0.1", port, "GET /openapi/v1.json", "evil.example"));
        Assert.Equal(404, await PortTests.Ask("127.0.0.1", port, "GET /nothing", "evil.example"));
    }

    [Fact]
    public async Task A_drain_from_another_site_is_refused_and_one_from_an_allowed_host_is_accepted()
    {
        await using ServiceApp app = ServiceApp.With(
            ("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"), ("Management:AllowedHosts", "pool.example"));
        (_, int management) = PortTests.Start(app);
        foreach (string headers in (string[])["127.0.0.2\r\nOrigin: https://evil.example", "127.0.0.2\r\nOrigin: http://127.0.0.2:1", "127.0.0.2\r\nSec-Fetch-Site: cross-site"])
        {
            string answer = await PortTests.Get("127.0.0.2", management, "POST /drain", headers);
            Assert.StartsWith("HTTP/1.1 403 ", answer, StringComparison.Ordinal);
            Assert.Contains("urn:poolapi:problem:forbidden", answer, StringComparison.Ordinal);
        }
        Assert.Equal(200, await PortTests.Ask("127.0.0.2", management, "GET /readyz"));
        Assert.Equal(202, await PortTests.Ask("127.0.0.2", management, "POST /drain", "pool.example\r\nOrigin: https://pool.example\r\nSec-Fetch-Site: same-origin"));
    }

    [Theory]
    [InlineData("http://localhost:3000")]
    [InlineData("http://localhost")]
    public async Task By_default_a_page_of_another_program_of_this_machine_changes_nothing(string origin)
    {
        await using ServiceApp app = ServiceApp.With(("Jobs:Store", "none"), ("Urls", "http://127.0.0.1:0"));
        HttpClient client = app.CreateClient(); // http://localhost
        client.DefaultRequestHeaders.Add("Origin", origin);
        using HttpResponseMessage answer = await client.PostAsync("/drain", null, ServiceApp.Token);
        if (origin == "http://localhost") Assert.Equal(System.Net.HttpStatusCode.Accepted, answer.StatusCode);
        else await ServiceApp.AssertProblem(answer, 403, "forbidden");
    }

    private static ManagementHosts Hosts(string allowed, List<string>? faults = null, string? url = null)
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(
            new Dictionary<string, string?> { ["Management:AllowedHosts"] = allowed, ["Management:Urls"] = url }).Build();
        faults ??= [];
        return ManagementHosts.Read(
            new(configuration.GetSection("Management"), faults), ServerUrls.Read(configuration, faults, static _ => [System.Net.IPAddress.Loopback]));
    }
}
