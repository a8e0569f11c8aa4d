using PoolApi.Cors;
using PoolApi.Tests.Service;
using PoolApi.Tests.Thumbnails;

namespace PoolApi.Tests.Server;

/// <summary>Web pages of the configured origins may call the API, and pages of other origins may not. The management routes allow no origin.</summary>
public class CorsTests
{
    private const string App = "https://app.example";
    private const string Key = "alice-has-this-key";

    [Theory]
    [InlineData("POST", "/v1/thumbnails?width=8", "content-type,prefer,idempotency-key,job-priority,job-run-at,job-timeout,job-tags,x-api-key")]
    [InlineData("POST", "/v1/password-hashes", "authorization,content-type")]
    [InlineData("GET", "/v1/jobs/0199", "if-none-match,prefer")]
    [InlineData("GET", "/v1/jobs/0199/events", "last-event-id")]
    [InlineData("DELETE", "/v1/jobs/0199", "authorization")]
    [InlineData("POST", "/v1/jobs/0199:retry", "traceparent")]
    public async Task A_preflight_needs_no_key_and_allows_the_methods_and_headers_of_the_API(string method, string path, string headers)
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = With(folder, $"https://other.example:8443; {App}");
        using HttpClient client = app.CreateClient();

        using HttpResponseMessage answer = await PreflightAsync(client, App, path, method, headers);

        Assert.Equal(204, (int)answer.StatusCode);
        Assert.Equal(App, Header(answer, "Access-Control-Allow-Origin"));
        Assert.Contains(method, Header(answer, "Access-Control-Allow-Methods")!.Split(','));
        string[] allowed = Header(answer, "Access-Control-Allow-Headers")!.Split(',', StringSplitOptions.TrimEntries);
        Assert.All(headers.Split(','), name => Assert.Contains(name, allowed, StringComparer.OrdinalIgnoreCase));
        Assert.Equal("3600", Header(answer, "Access-Control-Max-Age"));
        Assert.Null(Header(answer, "Access-Control-Allow-Credentials"));
    }

    [Theory]
    [InlineData("https://evil.example")]
    [InlineData("http://app.example")]
    [InlineData("https://app.example:8443")]
    [InlineData("https://sub.app.example")]
    [InlineData("null")]
    public async Task An_origin_that_is_not_configured_gets_no_CORS_headers(string origin)
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = With(folder, App);
        using HttpClient client = app.CreateClient();
        using HttpResponseMessage preflight = await PreflightAsync(client, origin, "/v1/thumbnails", "POST", "prefer");
        using HttpResponseMessage answer = await SendAsync(client, HttpMethod.Get, "/v1/diagnostics/noop", origin, Key);
        Assert.Equal(200, (int)answer.StatusCode);
        foreach (HttpResponseMessage response in (HttpResponseMessage[])[preflight, answer])
            Assert.DoesNotContain(response.Headers, static header => header.Key.StartsWith("Access-Control", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("GET", "/v1/diagnostics/noop", Key, 200)]
    [InlineData("GET", "/v1/diagnostics/noop", null, 401)]
    [InlineData("GET", "/v1/diagnostics/sleep?ms=x", Key, 400)]
    [InlineData("GET", "/v1/jobs/0199", Key, 404)]
    [InlineData("GET", "/v1/nothing", null, 404)]
    [InlineData("PUT", "/v1/thumbnails", null, 405)]
    [InlineData("OPTIONS", "/v1/thumbnails", null, 204)]
    public async Task A_script_can_read_every_answer_and_its_headers(string method, string path, string? key, int status)
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = With(folder, App);
        using HttpClient client = app.CreateClient();
        using HttpResponseMessage answer = await SendAsync(client, new HttpMethod(method), path, App, key);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(App, Header(answer, "Access-Control-Allow-Origin"));
        string[] exposed = Header(answer, "Access-Control-Expose-Headers")!.Split(',');
        foreach (string name in (string[])["Location", "Content-Location", "ETag", "Retry-After", "Preference-Applied", "Server-Timing", "Allow"])
            Assert.Contains(name, exposed);
    }

    [Fact]
    public async Task A_script_of_any_origin_gets_202_and_the_location_of_its_job()
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = With(folder, "*");
        using HttpClient client = app.CreateClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/thumbnails?width=8") { Content = new ByteArrayContent(Samples.Encode("png", 16, 16)) };
        foreach (var (name, value) in ((string, string)[])[("Origin", "https://any.example"), ("Prefer", "respond-async"), ("X-Api-Key", Key)])
            request.Headers.Add(name, value);
        using HttpResponseMessage accepted = await client.SendAsync(request, ServiceApp.Token);
        Assert.Equal(202, (int)accepted.StatusCode);
        Assert.Equal("*", Header(accepted, "Access-Control-Allow-Origin"));
        Assert.NotNull(accepted.Headers.Location);
    }

    [Fact]
    public async Task Management_routes_allow_no_origin_on_their_own_port_or_on_a_shared_port()
    {
        using var folder = new TemporaryFolder();
        foreach (string management in (string[])["http://127.0.0.2:0", "http://127.0.0.1:0"])
        {
            await using ServiceApp app = With(folder, "*", ("Urls", "http://127.0.0.1:0"), ("Management:Urls", management));
            app.UseKestrel();
            app.StartServer();
            Uri address = new(app.Services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>().Features
                .Get<Microsoft.AspNetCore.Hosting.Server.Features.IServerAddressesFeature>()!.Addresses.Last());
            using var client = new HttpClient { BaseAddress = address };
            foreach (string path in (string[])["/metrics", "/v1/workers", "/readyz", "/", "/status"])
            {
                using HttpResponseMessage answer = await SendAsync(client, HttpMethod.Get, path, App, null);
                Assert.Equal(200, (int)answer.StatusCode);
                Assert.Null(Header(answer, "Access-Control-Allow-Origin"));
            }
            using HttpResponseMessage drain = await SendAsync(client, HttpMethod.Post, "/drain", App, null);
            Assert.Equal(403, (int)drain.StatusCode);
            if (management == "http://127.0.0.1:0") continue;
            using HttpResponseMessage preflight = await PreflightAsync(client, App, "/drain", "POST", "x");
            Assert.Null(Header(preflight, "Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task Without_configured_origins_no_response_allows_an_origin()
    {
        await using ServiceApp app = ServiceApp.With(("Jobs:Store", "none"));
        using HttpClient client = app.CreateClient();
        using HttpResponseMessage preflight = await PreflightAsync(client, App, "/v1/thumbnails", "POST", "prefer");
        Assert.Equal(204, (int)preflight.StatusCode);
        Assert.Null(Header(preflight, "Access-Control-Allow-Origin"));
        using HttpResponseMessage answer = await SendAsync(client, HttpMethod.Get, "/v1/diagnostics/noop", App, null);
        Assert.Null(Header(answer, "Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData(" ; ", 0)]
    [InlineData("*", 1)]
    [InlineData("https://app.example", 1)]
    [InlineData("https://app.example;http://localhost:3000;http://[::1]:3000", 3)]
    [InlineData("https://APP.example", 1)]
    [InlineData("https://app.example/", -1)]
    [InlineData("https://app.example/path", -1)]
    [InlineData("https://app.example:443", -1)] // a browser omits the default port
    [InlineData("https://user@app.example", -1)]
    [InlineData("https://app.example?x", -1)]
    [InlineData("https://*.example", -1)]
    [InlineData("app.example", -1)]
    [InlineData("app.example:8080", -1)]
    [InlineData("ftp://app.example", -1)]
    [InlineData("file://", -1)]
    [InlineData("null", -1)]
    [InlineData("*;https://app.example", -1)]
    public void A_configured_origin_must_have_the_form_that_a_browser_sends(string text, int count)
    {
        var faults = new List<string>();
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Cors:Origins", text)]).Build();
        CorsSettings settings = CorsSettings.Read(configuration, faults);
        Assert.Equal(count < 0 ? 1 : 0, faults.Count);
        Assert.Equal(Math.Max(0, count), settings.Origins.Count);
    }

    private static ServiceApp With(TemporaryFolder folder, string origins, params ReadOnlySpan<(string, string)> settings) => ServiceApp.With(
        [("Jobs:Path", folder.File("jobs.db")), ("Auth:ApiKeys:alice", Key), ("Cors:Origins", origins), .. settings]);

    private static Task<HttpResponseMessage> PreflightAsync(HttpClient client, string origin, string path, string method, string headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Options, path);
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", method);
        request.Headers.Add("Access-Control-Request-Headers", headers);
        return client.SendAsync(request, ServiceApp.Token);
    }

    private static Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string path, string origin, string? key)
    {
        var request = new HttpRequestMessage(method, path);
        request.Headers.Add("Origin", origin);
        if (key is not null) request.Headers.Add("X-Api-Key", key);
        return client.SendAsync(request, ServiceApp.Token);
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(",", values) : null;
}
