using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using PoolApi.Management;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Management;

/// <summary>Which routes answer on which port. The local port of the connection decides.</summary>
public class PortTests
{
    private static readonly string[] ApiRoutes = ["GET /openapi/v1.json", "POST /v1/thumbnails", "POST /v1/password-hashes", "GET /v1/diagnostics/noop"];
    internal static readonly string[] ManagementRoutes = ["GET /metrics", "GET /livez", "GET /readyz", "GET /startupz", "GET /v1/workers", "GET /status", "GET /history"];

    [Fact]
    public async Task With_two_ports_each_port_serves_its_own_routes_only()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"));
        (int api, int management) = Start(app);

        foreach (string route in ApiRoutes)
        {
            Assert.NotEqual(404, await Ask("127.0.0.1", api, route));
            Assert.Equal(404, await Ask("127.0.0.2", management, route));
        }
        foreach (string route in ManagementRoutes)
        {
            Assert.Equal(404, await Ask("127.0.0.1", api, route));
            Assert.Equal(200, await Ask("127.0.0.2", management, route));
        }
        Assert.Contains("curl", await Get("127.0.0.1", api, "GET /"), StringComparison.Ordinal);
        Assert.Contains("assets/pools.", await Get("127.0.0.2", management, "GET /"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_forged_Host_header_opens_no_route_of_the_other_port()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"));
        (int api, int management) = Start(app);
        Assert.Equal(404, await Ask("127.0.0.1", api, "GET /metrics", $"127.0.0.2:{management}"));
        Assert.Equal(404, await Ask("127.0.0.1", api, "GET /v1/workers", "localhost:8081"));
        Assert.Equal(404, await Ask("127.0.0.2", management, "GET /openapi/v1.json", $"127.0.0.1:{api}"));
        Assert.Equal(404, await Ask("127.0.0.1", api, "GET /metrics", "x\r\nX-Forwarded-Port: 8081\r\nX-Forwarded-Host: localhost:8081"));
    }

    [Fact]
    public async Task The_wrong_method_on_a_route_of_the_other_port_is_not_found_rather_than_not_allowed()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"));
        (int api, int management) = Start(app);
        foreach (string method in (string[])["GET", "PUT", "DELETE", "HEAD"])
        {
            Assert.Equal(404, await Ask("127.0.0.2", management, method + " /v1/thumbnails"));
            Assert.Equal(405, await Ask("127.0.0.1", api, method + " /v1/thumbnails"));
        }
        foreach (string method in (string[])["POST", "PUT", "DELETE"])
        {
            Assert.Equal(404, await Ask("127.0.0.1", api, method + " /v1/workers"));
            Assert.Equal(405, await Ask("127.0.0.2", management, method + " /v1/workers"));
        }
    }

    [Fact]
    public async Task On_one_shared_port_API_and_management_routes_answer_and_the_dashboard_is_the_root_page()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.1:0"));
        app.UseKestrel();
        app.StartServer();
        int port = Port(app);
        foreach (string route in (string[])[.. ApiRoutes, .. ManagementRoutes]) Assert.NotEqual(404, await Ask("127.0.0.1", port, route));
        Assert.Contains("assets/pools.", await Get("127.0.0.1", port, "GET /"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_ports_API_and_management_routes_answer_and_the_dashboard_is_the_root_page()
    {
        await using var app = new ServiceApp();
        HttpClient client = app.CreateClient();
        foreach (string url in (string[])["/openapi/v1.json", "/metrics", "/livez", "/readyz", "/startupz", "/v1/workers"])
        {
            using HttpResponseMessage response = await client.GetAsync(url, ServiceApp.Token);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        using HttpResponseMessage root = await client.GetAsync("/", ServiceApp.Token);
        Assert.Contains("assets/pools.", await root.Content.ReadAsStringAsync(ServiceApp.Token), StringComparison.Ordinal);
        Assert.StartsWith("default-src 'none'", Assert.Single(root.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_welcome_page_shows_curl_commands_for_the_requested_host_as_text_or_HTML()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://0.0.0.0:0"));
        (int api, _) = Start(app);
        string text = await Get("127.0.0.1", api, "GET /", $"pool.example:{api}");
        Assert.Contains("Content-Type: text/plain; charset=utf-8", text, StringComparison.Ordinal);
        Assert.Contains($"curl --data-binary @photo.jpg 'http://pool.example:{api}/v1/thumbnails?width=320' -o thumbnail.webp", text, StringComparison.Ordinal);
        Assert.Contains("""curl --json '{"password":"correct horse"}' http""", text, StringComparison.Ordinal);
        Assert.Contains("http://pool.example:", text[text.IndexOf("Look around", StringComparison.Ordinal)..], StringComparison.Ordinal);
        string html = await Get("127.0.0.1", api, "GET /", $"x:{api}\r\nAccept: text/html");
        string notHtml = await Get("127.0.0.1", api, "GET /", $"x:{api}\r\nAccept: text/html;q=0, */*");
        Assert.Contains("Content-Type: text/plain; charset=utf-8", notHtml, StringComparison.Ordinal);
        foreach (string response in (string[])[text, html, notHtml]) Assert.Contains("\r\nVary: Accept\r\n", response, StringComparison.Ordinal);
        Assert.Contains("Content-Type: text/html; charset=utf-8", html, StringComparison.Ordinal);
        Assert.Contains($"curl -i 'http://x:{api}", WebUtility.HtmlDecode(html), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_links_of_the_welcome_page_and_of_the_dashboard_are_relative()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"));
        (int api, int management) = Start(app);
        string welcome = await Get("127.0.0.1", api, "GET /", $"x:{api}\r\nAccept: text/html");
        Assert.Contains("href=\"openapi/v1.json\"", welcome, StringComparison.Ordinal);
        string dashboard = await Get("127.0.0.2", management, "GET /");
        Match source = Regex.Match(dashboard, "src=\"(assets/pools\\.[0-9a-f]+\\.js)\"");
        Assert.True(source.Success, dashboard);
        string script = await Get("127.0.0.2", management, $"GET /{source.Groups[1].Value}");
        Assert.Contains("\"stream\"", script, StringComparison.Ordinal);
        foreach (string page in (string[])[welcome, dashboard, script])
        {
            foreach (string start in (string[])["href=\"/", "src=\"/", "fetch(\"/"]) Assert.DoesNotContain(start, page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_health_check_command_asks_the_management_port_and_exits_with_1_when_nothing_answers()
    {
        await using ServiceApp app = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"));
        (int api, int management) = Start(app);
        // The command's timeout of five seconds may be too short on a busy machine.
        await MachineLoad.TryAgainAsync(async () => await HealthcheckCommand.RunAsync(["--Management:Urls", $"http://127.0.0.2:{management}"]) == 0, "the command fails");
        Assert.Equal(1, await HealthcheckCommand.RunAsync(["--Management:Urls", $"http://127.0.0.1:{api}"])); // 404: not the management port
        using var free = new Socket(SocketType.Stream, ProtocolType.Tcp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // bound but not listening, so connections are refused
        Assert.Equal(1, await HealthcheckCommand.RunAsync(["--Management:Urls", $"http://127.0.0.1:{((IPEndPoint)free.LocalEndPoint!).Port}"]));
    }

    internal static (int Api, int Management) Start(ServiceApp app)
    {
        app.UseKestrel();
        app.StartServer();
        int[] ports = [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(static a => new Uri(a).Port)];
        return (ports[0], ports[1]);
    }

    internal static int Port(ServiceApp app) =>
        new Uri(Assert.Single(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses)).Port;

    internal static async Task<int> Ask(string host, int port, string route, string? forged = null) =>
        int.Parse((await Get(host, port, route, forged)).AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);

    internal static Task<string> Get(string host, int port, string route, string? forged = null) => RawConnection.ExchangeAsync(
        host, port, $"{route} HTTP/1.1\r\nHost: {forged ?? $"{host}:{port}"}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}
