using System.Net;
using System.Net.Sockets;
using Microsoft.Playwright;
using PoolApi.EndToEnd.Connections;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>The management port behind an nginx that terminates TLS and forwards Host. The service gets plain HTTP, so it recognizes its own pages by
/// the host name alone.</summary>
public sealed class BehindTlsProxyTests
{
    private const string OwnName = "pool.internal";
    private const string OtherName = "other.internal";

    private static readonly (string Method, string Path)[] Routes =
    [
        ("GET", "/"), ("GET", "/jobs"), ("GET", "/job"), ("GET", "/status"), ("GET", "/stream"), ("GET", "/history"),
        ("GET", "/v1/workers"), ("GET", "/v1/workers/stream"), ("GET", "/metrics"), ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/startupz"),
        ("GET", "/nothing"), ("POST", "/work/one"), ("POST", "/stop"), ("POST", "/drain"),
    ];

    [Fact]
    public async Task With_the_host_name_configured_the_dashboard_makes_changes_and_another_site_cannot()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 2", $"--Management:AllowedHosts {OwnName}", PoolApiProcess.Diagnostics);
        using var certificate = new TlsCertificate(OwnName, OtherName);
        await using var nginx = await StartProxyAsync(service, certificate);
        string own = Url(OwnName, nginx);

        await using var browser = await DashboardBrowser.OpenAsync(own);
        await Assertions.Expect(browser.Worker("cpu-1")).ToContainTextAsync("idle");
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "One", Exact = true }).ClickAsync();
        await Assertions.Expect(browser.Page.Locator("#first-minute")).ToContainTextAsync("Sent one.");
        await Assertions.Expect(browser.Page.Locator("#actions")).ToContainTextAsync("Send work: One");

        // The operator opens a page of another site in the same browser.
        IPage other = await browser.Page.Context.NewPageAsync();
        other.SetDefaultTimeout(Chromium.Patience);
        await other.GotoAsync($"{Url(OtherName, nginx)}/");
        IResponse refused = await other.RunAndWaitForResponseAsync(
            () => other.GetByRole(AriaRole.Button, new() { Name = "Win a prize" }).ClickAsync(), $"{own}/drain");
        Assert.Equal(403, refused.Status);
        await Assertions.Expect(other.Locator("body")).ToContainTextAsync("This request comes from a web page of another site.");
        await other.CloseAsync();
        (await service.Management.GetAsync("/readyz")).MustBe(200);
        Assert.Empty(browser.Complaints);

        // The service accepts the same change from its own page.
        Assert.Equal(202, await browser.Page.EvaluateAsync<int>("fetch('drain', { method: 'POST' }).then(answer => answer.status)"));
        Assert.Equal(0, (await service.ReadSummaryAsync()).Exit);
    }

    [Fact]
    public async Task Without_the_host_name_configured_every_route_answers_421_and_changes_nothing()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        using var certificate = new TlsCertificate(OwnName);
        await using var nginx = await StartProxyAsync(service, certificate);
        string own = Url(OwnName, nginx);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            // Replaces a name server: every name leads to the proxy.
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, nginx.Web.Port, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
            SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => certificate.Is(shown) },
        });

        foreach (var (method, path) in Routes)
        {
            // The headers of a request from the service's own page.
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(own + path));
            request.Headers.Add("Sec-Fetch-Site", "same-origin");
            if (method == "POST")
                request.Headers.Add("Origin", own);
            using var response = await client.SendAsync(request, Patience.Token);
            (await Answer.ReadAsync(response, Patience.Token)).MustBeProblem(421, "host-not-allowed").MustName(OwnName, "Management:AllowedHosts");
        }

        (await service.Management.GetAsync("/readyz")).MustBe(200);
    }

    private static string Url(string name, ProxyServer proxy) => $"https://{name}:{proxy.Web.Port}";

    /// <summary>The shipped configuration, with TLS, in front of the management port. The same nginx serves another site, with a page that tries to
    /// stop the service.</summary>
    private static Task<ProxyServer> StartProxyAsync(PoolApiProcess service, TlsCertificate certificate)
    {
        int port = FreePorts.Next();
        string otherSite = $$"""
            ssl_certificate {{certificate.CertificateFile}};
            ssl_certificate_key {{certificate.KeyFile}};

            server {
                listen 127.0.0.1:{{port}} ssl;
                server_name {{OtherName}};
                default_type text/html;
                return 200 '<form method=post action=https://{{OwnName}}:{{port}}/drain><button>Win a prize</button></form>';
            }
            """;
        return ProxyServer.StartAsync(
            new ProxyServer.Configuration("nginx", "nginx/poolapi.conf", port, NginxTests.Arguments)
                .With("upstream poolapi {", $"{otherSite}\n\nupstream poolapi {{").With("listen 80;", $"listen 127.0.0.1:{port} ssl default_server;")
                .With("10.0.0.11:8080", $"127.0.0.1:{service.Management.Port}").With("server 10.0.0.12:8080 max_fails=0;", ""));
    }
}
