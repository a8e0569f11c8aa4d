using System.Globalization;
using System.Net.Http.Headers;
using PoolApi.Tests.Management;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Requests;

/// <summary>On both ports, every route with GET also has HEAD, and every route answers OPTIONS.</summary>
public class MethodTests
{
    private const string Api = "127.0.0.1";
    private const string Management = "127.0.0.2";
    private const string Key = "alice-has-this-key";

    // Headers that differ between two responses, or that describe the body that HEAD omits.
    private static readonly string[] Own = ["Date", "Last-Modified", "Server-Timing", "Content-Length", "Transfer-Encoding"];

    [Fact]
    public async Task Routes_have_HEAD_exactly_when_they_have_GET_and_only_one_route_declares_no_methods()
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = ServiceApp.With(("Jobs:Path", folder.File("jobs.db")));
        using HttpClient client = app.CreateClient();
        RouteEndpoint[] routes = [.. app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()];
        Assert.True(routes.Length > 25, $"only {routes.Length}");
        foreach (RouteEndpoint route in routes)
        {
            IReadOnlyList<string>? methods = route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods;
            // One jobs route answers 405 to all methods that the other routes of its path do not have.
            if (methods is null) Assert.Equal("/v1/jobs/{id}", route.RoutePattern.RawText);
            else Assert.Equal(methods.Contains("GET"), methods.Contains("HEAD"));
        }
    }

    [Fact]
    public async Task HEAD_answers_with_the_headers_of_GET_and_without_its_body()
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = Start(folder, out int api, out int management);
        using var http = new HttpClient();
        string job = await JobAsync(http, api);
        string[] urls =
        [
            .. ((string[])[
                "/", "/openapi/v1.json", "/v1/diagnostics/noop", "/v1/diagnostics/inline", "/v1/diagnostics/sleep?ms=0", "/v1/diagnostics/sleep?ms=x",
                "/v1/diagnostics/hash?iterations=1", "/v1/jobs", job, job + "/result", job + "/events", "/v1/nothing", "/v1/thumbnails",
            ]).Select(path => $"http://{Api}:{api}{path}"),
            .. ((string[])[
                "/", "/jobs", "/job", "/status", "/history", "/jobs/list", "/stream", "/jobs/stream", "/metrics", "/livez", "/readyz", "/startupz", "/v1/workers", "/v1/workers/stream", "/drain",
            ]).Select(path => $"http://{Management}:{management}{path}"),
        ];
        foreach (string url in urls)
        {
            string got = await HeadersAsync(http, HttpMethod.Get, url);
            Assert.Equal(got, await HeadersAsync(http, HttpMethod.Head, url));
            // The server closes this connection after the response, so a body would be read too.
            var at = new Uri(url);
            string raw = await PortTests.Get(at.Host, at.Port, $"HEAD {at.PathAndQuery}");
            Assert.EndsWith("\r\n\r\n", raw, StringComparison.Ordinal);
            Assert.Equal(raw.Length - 4, raw.IndexOf("\r\n\r\n", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task OPTIONS_answers_with_the_methods_of_every_route_and_needs_no_key()
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = Start(folder, out int api, out int management, ("Auth:ApiKeys:alice", Key));
        foreach (RouteEndpoint route in app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            if (route.Metadata.GetMetadata<IHttpMethodMetadata>() is not { } said) continue;
            bool isApi = route.Metadata.GetMetadata<PoolApi.Management.ListenerMetadata>() is null;
            string path = "/" + route.RoutePattern.RawText!.Trim('/').Replace("{id}", "0199", StringComparison.Ordinal).Replace("{documentName}", "v1", StringComparison.Ordinal);
            string[] allowed = await AllowedAsync(isApi ? Api : Management, isApi ? api : management, path);
            Assert.Contains("OPTIONS", allowed);
            foreach (string method in said.HttpMethods) Assert.True(allowed.Contains(method), $"{path}: {string.Join(", ", allowed)}");
        }
    }

    [Theory]
    [InlineData(Api, "/v1/thumbnails", "OPTIONS, POST")]
    [InlineData(Api, "/v1/thumbnails?width=0", "OPTIONS, POST")]
    [InlineData(Api, "/v1/diagnostics/sleep", "GET, HEAD, OPTIONS, POST")]
    [InlineData(Api, "/v1/jobs", "GET, HEAD, OPTIONS")]
    [InlineData(Api, "/v1/jobs/0199", "DELETE, GET, HEAD, OPTIONS")]
    [InlineData(Api, "/v1/jobs/0199:retry", "OPTIONS, POST")]
    [InlineData(Api, "/v1/jobs/0199/events", "GET, HEAD, OPTIONS")]
    [InlineData(Api, "*", "DELETE, GET, HEAD, OPTIONS, POST")]
    [InlineData(Management, "/livez", "GET, HEAD, OPTIONS")]
    [InlineData(Management, "/metrics", "GET, HEAD, OPTIONS")]
    [InlineData(Management, "/drain", "OPTIONS, POST")]
    [InlineData(Management, "*", "DELETE, GET, HEAD, OPTIONS, POST")]
    public async Task OPTIONS_lists_exactly_the_methods_of_the_path(string address, string path, string allow)
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = Start(folder, out int api, out int management);
        Assert.Equal(allow, string.Join(", ", await AllowedAsync(address, address == Api ? api : management, path)));
        Assert.False(app.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
    }

    [Fact]
    public async Task OPTIONS_of_a_route_that_is_not_there_or_of_the_other_port_is_not_found()
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = Start(folder, out int api, out int management);
        Assert.Equal(404, await PortTests.Ask(Api, api, "OPTIONS /v1/nothing"));
        Assert.Equal(404, await PortTests.Ask(Api, api, "OPTIONS /metrics"));
        Assert.Equal(404, await PortTests.Ask(Management, management, "OPTIONS /v1/thumbnails"));
        Assert.Equal(421, await PortTests.Ask(Management, management, "OPTIONS /livez", "evil.example"));
    }

    [Theory]
    [InlineData(Api, "PUT /v1/thumbnails", "POST")]
    [InlineData(Api, "PATCH /", "GET, HEAD")]
    [InlineData(Api, "POST /openapi/v1.json", "GET, HEAD")]
    [InlineData(Management, "POST /livez", "GET, HEAD")]
    [InlineData(Management, "DELETE /readyz", "GET, HEAD")]
    [InlineData(Management, "PUT /metrics", "GET, HEAD")]
    [InlineData(Management, "POST /v1/workers/stream", "GET, HEAD")]
    [InlineData(Management, "GET /drain", "POST")]
    public async Task An_unsupported_method_gets_405_and_an_Allow_header_with_the_methods_of_the_route(string address, string route, string allow)
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = Start(folder, out int api, out int management);
        string answer = await PortTests.Get(address, address == Api ? api : management, route);
        Assert.StartsWith("HTTP/1.1 405 ", answer, StringComparison.Ordinal);
        Assert.Equal(allow, string.Join(", ", AllowOf(answer)));
    }

    private static ServiceApp Start(TemporaryFolder folder, out int api, out int management, params ReadOnlySpan<(string, string)> settings)
    {
        ServiceApp app = ServiceApp.With(
            [("Urls", $"http://{Api}:0"), ("Management:Urls", $"http://{Management}:0"), ("Jobs:Path", folder.File("jobs.db")), .. settings]);
        (api, management) = PortTests.Start(app);
        return app;
    }

    private static async Task<string> JobAsync(HttpClient http, int api)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{Api}:{api}/v1/diagnostics/noop");
        request.Headers.Add("Prefer", "respond-async, wait=300");
        using HttpResponseMessage response = await http.SendAsync(request, ServiceApp.Token);
        return new Uri(request.RequestUri!, response.Content.Headers.ContentLocation!).AbsolutePath.Replace("/result", "", StringComparison.Ordinal);
    }

    private static async Task<string> HeadersAsync(HttpClient http, HttpMethod method, string url)
    {
        using var request = new HttpRequestMessage(method, url);
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ServiceApp.Token);
        HttpHeaders[] headers = [response.Headers, response.Content.Headers];
        return string.Create(CultureInfo.InvariantCulture, $"{url}: {(int)response.StatusCode}") + string.Concat(headers
            .SelectMany(static all => all.NonValidated)
            .Where(static header => !Own.Contains(header.Key, StringComparer.OrdinalIgnoreCase))
            .OrderBy(static header => header.Key, StringComparer.Ordinal)
            .Select(static header => $"\n{header.Key}: {header.Value}"));
    }

    private static async Task<string[]> AllowedAsync(string address, int port, string path)
    {
        string answer = await PortTests.Get(address, port, "OPTIONS " + path);
        Assert.StartsWith("HTTP/1.1 204 ", answer, StringComparison.Ordinal);
        return AllowOf(answer);
    }

    private static string[] AllowOf(string answer) =>
        [.. answer.Split("\r\n").Single(static line => line.StartsWith("Allow: ", StringComparison.Ordinal))[7..].Split(", ").Order(StringComparer.Ordinal)];
}
