using System.Text.Json.Nodes;
using PoolApi.Tests.Service;
using PoolApi.Tests.Settings;
using PoolApi.Tests.Thumbnails;

namespace PoolApi.Tests.Server;

/// <summary>Behind a reverse proxy with a path prefix: which proxies the service trusts, and what must not depend on the prefix.</summary>
public sealed class ReverseProxyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("/v1/thumbnails")]
    [InlineData("/v1/thumbnails/")]
    [InlineData("/v1/diagnostics/noop")]
    [InlineData("/v1/diagnostics/noop/")]
    public async Task The_links_to_a_job_and_its_result_resolve_under_the_prefix_of_a_proxy(string path)
    {
        await using ServiceApp app = WithJobs();
        using HttpClient client = app.CreateClient();
        using HttpResponseMessage accepted = await PostAsync(client, path, ("Prefer", "respond-async"));
        string body = await accepted.Content.ReadAsStringAsync(ServiceApp.Token);
        Assert.True(accepted.StatusCode == System.Net.HttpStatusCode.Accepted, body);
        JsonNode job = JsonNode.Parse(body)!;
        Uri asked = new("https://proxy.example/a/b" + path + "?width=8");
        foreach (string link in (string[])[accepted.Headers.Location!.OriginalString, (string)job["links"]!["self"]!])
            Assert.Equal($"https://proxy.example/a/b/v1/jobs/{job["id"]}", new Uri(asked, link).AbsoluteUri);

        using HttpResponseMessage waited = await PostAsync(client, path, ("Prefer", "respond-async, wait=60"));
        Uri location = waited.Content.Headers.ContentLocation!;
        Assert.Matches("^https://proxy.example/a/b/v1/jobs/[0-9a-f-]{36}/result$", new Uri(asked, location).AbsoluteUri);
        using HttpResponseMessage result = await client.GetAsync(new Uri(waited.RequestMessage!.RequestUri!, location), ServiceApp.Token);
        Assert.Equal(System.Net.HttpStatusCode.OK, result.StatusCode);
        Assert.Equal(await waited.Content.ReadAsByteArrayAsync(ServiceApp.Token), await result.Content.ReadAsByteArrayAsync(ServiceApp.Token));
    }

    [Fact]
    public async Task An_idempotency_key_finds_the_same_job_with_and_without_the_path_prefix()
    {
        await using ServiceApp app = WithJobs(("PathBase", "/thumbs"));
        using HttpClient client = app.CreateClient();
        var ids = new HashSet<string>();
        foreach (string path in (string[])["/thumbs/v1/diagnostics/noop", "/v1/diagnostics/noop", "/THUMBS/v1/diagnostics/noop"])
        {
            using HttpResponseMessage accepted = await PostAsync(client, path, ("Prefer", "respond-async"), ("Idempotency-Key", "one"));
            Assert.Equal(System.Net.HttpStatusCode.Accepted, accepted.StatusCode);
            JsonNode job = JsonNode.Parse(await accepted.Content.ReadAsStringAsync(ServiceApp.Token))!;
            ids.Add((string)job["id"]!);
            Uri self = new(accepted.RequestMessage!.RequestUri!, accepted.Headers.Location!);
            Assert.StartsWith(path.Replace("diagnostics/noop", "jobs/", StringComparison.Ordinal), self.AbsolutePath, StringComparison.Ordinal);
            using var wait = new HttpRequestMessage(HttpMethod.Get, self) { Headers = { { "Prefer", "wait=60" } } };
            using HttpResponseMessage ended = await client.SendAsync(wait, ServiceApp.Token);
            Assert.Equal("succeeded", (string?)JsonNode.Parse(await ended.Content.ReadAsStringAsync(ServiceApp.Token))!["state"]);
            using HttpResponseMessage result = await client.GetAsync(self + "/result", ServiceApp.Token);
            Assert.Equal(System.Net.HttpStatusCode.OK, result.StatusCode);
        }
        Assert.Single(ids);
    }

    [Theory]
    [InlineData("127.0.0.1", "/thumbs", "https://pool.example/thumbs")]
    [InlineData("192.0.2.1; 127.0.0.0/8", "/thumbs/", "https://pool.example/thumbs")]
    [InlineData("::1;127.0.0.1", "/a/b", "https://pool.example/a/b")]
    [InlineData("192.0.2.1;10.0.0.0/8", "/thumbs", "http://pool.example")]
    [InlineData("127.0.0.1", "", "https://pool.example")]
    [InlineData("127.0.0.1", "thumbs", "https://pool.example")]
    [InlineData("127.0.0.1", "//evil.example", "https://pool.example")]
    [InlineData("127.0.0.1", "/../x", "https://pool.example")]
    [InlineData("127.0.0.1", "/a'b", "https://pool.example")]
    [InlineData("127.0.0.1", "/thumbs", "https://pool.example/thumbs", "true")]
    [InlineData("192.0.2.1", "/thumbs", "http://pool.example", "true")]
    [InlineData("", "/thumbs", "http://pool.example")]
    [InlineData("", "/thumbs", "https://pool.example", "true")] // the framework's switch trusts every proxy, but reads no prefix
    public async Task The_prefix_comes_from_known_proxies_only(string known, string prefix, string api, string all = "false")
    {
        await using RunningService service = RunningService.With(("ForwardedHeaders:KnownProxies", known), ("ForwardedHeaders_Enabled", all));
        string page = await service.ApiAsync(
            "GET / HTTP/1.1\r\nHost: pool.example\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n"
            + $"X-Forwarded-Prefix: {prefix}\r\nConnection: close\r\n\r\n");
        Assert.Contains($"  {api}/openapi/v1.json ", page, StringComparison.Ordinal);
        Assert.Contains($"'{api}/v1/thumbnails?", page, StringComparison.Ordinal);
        Assert.DoesNotContain("evil", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/thumbs", "thumbs/openapi/v1.json")]
    [InlineData("/thumbs/", "openapi/v1.json")]
    [InlineData("/", "openapi/v1.json")]
    public async Task The_page_links_to_the_document_under_the_prefix(string path, string link)
    {
        await using RunningService service = RunningService.With(("PathBase", "/thumbs"));
        string page = await service.ApiAsync($"GET {path} HTTP/1.1\r\nHost: pool.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
        Assert.Contains($"href=\"{link}\"", page, StringComparison.Ordinal);
        Assert.Contains(path == "/" ? "http://pool.example/v1/" : "http://pool.example/thumbs/v1/", page, StringComparison.Ordinal);
    }

    private ServiceApp WithJobs(params ReadOnlySpan<(string, string)> settings) =>
        ServiceApp.With([("Jobs:Path", _folder.File("jobs.db")), .. settings]);

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string path, params (string, string)[] headers)
    {
        bool image = path.Contains("thumbnails", StringComparison.Ordinal);
        using var request = new HttpRequestMessage(HttpMethod.Post, image ? path + "?width=8" : path);
        if (image) request.Content = new ByteArrayContent(Samples.Encode("png", 16, 16));
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return await client.SendAsync(request, ServiceApp.Token);
    }
}
