using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using PoolApi.Management;
using PoolApi.Tests.Service;
using PoolApi.Tests.Settings;
using PoolApi.Threading;

namespace PoolApi.Tests.Management;

/// <summary>A web page of another site changes nothing on the management port. The routes are those that the service maps, so a new one is tested too.</summary>
public sealed class CrossSiteTests : IDisposable
{
    private static readonly string[] Reading = ["GET", "HEAD", "OPTIONS"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    public async Task Every_management_route_that_changes_state_refuses_requests_from_pages_of_other_sites(string header, string value)
    {
        await using RunningService service = RunningService.With(("Jobs:Store", "sqlite"), ("Jobs:Path", _folder.File("jobs.db")));
        using var http = new HttpClient();
        string job = await JobAsync(http, service);
        View before = await ViewAsync(http, service, job);
        (HttpMethod Method, string Path)[] changes = Changes(service.App);
        foreach (string known in (string[])["/drain", "/stop", "/work/one", "/jobs/change", "/job/payload"])
            Assert.Contains(known, changes.Select(static change => change.Path));

        foreach (var (method, path) in changes)
        {
            using HttpResponseMessage refused = await SendAsync(http, service, method, path, job, header, value);
            Assert.Equal((path, 403), (path, (int)refused.StatusCode));
            await ServiceApp.AssertProblem(refused, 403, "forbidden");
            Assert.Equal((path, before), (path, await ViewAsync(http, service, job)));
        }

        // Without the header, as from a program, the routes accept the requests. The two routes that stop the service are left out.
        foreach (var (method, path) in changes.Where(static change => change.Path is not ("/drain" or "/stop")))
        {
            using HttpResponseMessage taken = await SendAsync(http, service, method, path, job);
            Assert.NotEqual((path, 403), (path, (int)taken.StatusCode));
        }
        View after = await ViewAsync(http, service, job);
        Assert.Equal(("cancelled", before.Accepted + 1), (after.Job, after.Accepted));
    }

    /// <summary>The routes of the management port that do more than read. A route that names no method answers every one.</summary>
    internal static (HttpMethod Method, string Path)[] Changes(ServiceApp app) =>
    [
        .. app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(static route => route.Metadata.GetMetadata<ListenerMetadata>()?.Kind == ListenerKind.Management)
            .SelectMany(static route => (route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["POST"])
                .Where(static method => !Reading.Contains(method, StringComparer.OrdinalIgnoreCase))
                .Select(method => (HttpMethod.Parse(method), "/" + route.RoutePattern.RawText!.Trim('/').Replace("{name}", "one", StringComparison.Ordinal)))),
    ];

    /// <summary>Accepts a job that is due in an hour, so that only a change ends it while the test runs.</summary>
    /// <returns>Its path.</returns>
    private static async Task<string> JobAsync(HttpClient http, RunningService service)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{service.Api}/v1/diagnostics/noop");
        request.Headers.Add("Prefer", "respond-async");
        request.Headers.Add("Job-Run-At", DateTimeOffset.UtcNow.AddHours(1).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        using HttpResponseMessage accepted = await http.SendAsync(request, ServiceApp.Token);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        return new Uri(request.RequestUri!, accepted.Headers.Location!).AbsolutePath;
    }

    /// <summary>Sends a request that changes something if the service accepts it.</summary>
    internal static async Task<HttpResponseMessage> SendAsync(
        HttpClient http, RunningService service, HttpMethod method, string path, string job, string? header = null, string? value = null)
    {
        string id = job[(job.LastIndexOf('/') + 1)..];
        string query = path == "/job/payload" ? $"?id={id}" : "";
        using var request = new HttpRequestMessage(method, $"http://127.0.0.2:{service.Management}{path}{query}");
        if (path == "/jobs/change") request.Content = new StringContent($$"""{"action":"cancel","job":"{{id}}"}""", Encoding.UTF8, "application/json");
        if (header is not null) request.Headers.TryAddWithoutValidation(header, value);
        return await http.SendAsync(request, ServiceApp.Token);
    }

    private static async Task<View> ViewAsync(HttpClient http, RunningService service, string job)
    {
        JsonNode now = JsonNode.Parse(await http.GetStringAsync($"http://127.0.0.1:{service.Api}{job}", ServiceApp.Token))!;
        using HttpResponseMessage ready = await http.GetAsync($"http://127.0.0.2:{service.Management}/readyz", ServiceApp.Token);
        return new View(
            (string)now["state"]!,
            service.App.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Accepted,
            ready.StatusCode,
            service.App.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
    }

    /// <summary>The state that the requests may change: the job, the work of the pool, whether the service runs.</summary>
    private sealed record View(string Job, long Accepted, HttpStatusCode Ready, bool IsStopping);
}
