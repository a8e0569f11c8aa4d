using System.Net;
using System.Text.Json.Nodes;
using PoolApi.Auth;
using PoolApi.Tests.Management;
using PoolApi.Tests.Service;
using PoolApi.Tests.Settings;
using PoolApi.Threading;

namespace PoolApi.Tests.Auth;

/// <summary>The role of a key decides what its client may do.</summary>
public sealed class RoleTests : IAsyncDisposable
{
    private const string Reader = "the-readers-own-key";
    private const string Worker = "the-workers-own-key";
    private const string Admin = "the-admins-own-key-1";
    private const string Batch = "the-batch-own-key-12";

    private static readonly (string Key, string Value)[] Clients =
    [
        ("Auth:ApiKeys:reader:Key", Reader), ("Auth:ApiKeys:reader:Role", "read"), ("Auth:ApiKeys:worker", Worker),
        ("Auth:ApiKeys:admin:Hash", ApiKeyHash.Write(ApiKeyHash.Of(Admin))), ("Auth:ApiKeys:admin:Role", "admin"),
        ("Auth:ApiKeys:batch:Key", Batch), ("Auth:ApiKeys:batch:MaxPriority", "low"),
    ];

    private static readonly (string? Key, int Status)[] NoAdmins = [(null, 401), ("nobody-has-this-key", 401), (Reader, 403), (Worker, 403), (Batch, 403)];

    private static string InAnHour => DateTimeOffset.UtcNow.AddHours(1).ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);

    private readonly TemporaryFolder _folder = new();
    private readonly ServiceApp _app;

    public RoleTests() => _app = ServiceApp.With([("Jobs:Path", _folder.File("jobs.db")), .. Clients]);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_reader_sends_no_work_and_changes_no_job()
    {
        string job = await JobAsync(Worker, "Job-Run-At", InAnHour);
        var pool = _app.Services.GetRequiredService<FixedThreadPool>();
        long accepted = pool.GetSnapshot().Accepted;

        await ServiceApp.AssertProblem(await SendAsync(Reader, HttpMethod.Get, "/v1/diagnostics/noop"), 403, "forbidden");
        await ServiceApp.AssertProblem(await SendAsync(Reader, HttpMethod.Delete, job), 403, "forbidden");
        await ServiceApp.AssertProblem(await SendAsync(Reader, HttpMethod.Post, job + ":retry"), 403, "forbidden");

        Assert.Equal(accepted, pool.GetSnapshot().Accepted);
        using HttpResponseMessage answer = await SendAsync(Reader, HttpMethod.Get, job);
        Assert.Equal("queued", (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync(ServiceApp.Token))!["state"]);
    }

    [Theory]
    [InlineData(Reader, true)]
    [InlineData(Admin, true)]
    [InlineData(Batch, false)]
    public async Task The_roles_read_and_admin_see_jobs_of_other_clients_and_the_role_work_does_not(string key, bool seesAll)
    {
        string job = await JobAsync(Worker);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(Worker, HttpMethod.Get, job)).StatusCode);
        Assert.Equal(seesAll ? HttpStatusCode.OK : HttpStatusCode.NotFound, (await SendAsync(key, HttpMethod.Get, job)).StatusCode);
        using HttpResponseMessage list = await SendAsync(key, HttpMethod.Get, "/v1/jobs");
        JsonNode page = JsonNode.Parse(await list.Content.ReadAsStringAsync(ServiceApp.Token))!;
        Assert.Equal(seesAll ? 1 : 0, page["jobs"]!.AsArray().Count);
    }

    [Fact]
    public async Task An_admin_may_cancel_the_job_of_another_client()
    {
        string job = await JobAsync(Worker, "Job-Run-At", InAnHour);
        await ServiceApp.AssertProblem(await SendAsync(Batch, HttpMethod.Delete, job), 404, "not-found");
        Assert.True((await SendAsync(Admin, HttpMethod.Delete, job)).IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_job_cannot_exceed_the_maximum_priority_of_its_client()
    {
        HttpResponseMessage refused = await SendAsync(Batch, HttpMethod.Get, "/v1/diagnostics/noop", ("Prefer", "respond-async"), ("Job-Priority", "normal"));
        await ServiceApp.AssertProblem(refused, 400, "invalid-request", "Job-Priority", "must be at most low for this client");

        string usual = await JobAsync(Batch);
        using HttpResponseMessage answer = await SendAsync(Batch, HttpMethod.Get, usual);
        Assert.Equal("low", (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync(ServiceApp.Token))!["priority"]);
    }

    [Theory]
    [InlineData(null, 401, "unauthorized")]
    [InlineData("nobody-has-this-key", 401, "unauthorized")]
    [InlineData(Worker, 403, "forbidden")]
    [InlineData(Reader, 403, "forbidden")]
    [InlineData(Admin, 202, null)]
    public async Task With_keys_only_an_admin_may_drain_and_everybody_may_read_the_workers(string? key, int status, string? problem)
    {
        // Before the drain, because the host may stop soon after it.
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(null, HttpMethod.Get, "/v1/workers")).StatusCode);
        HttpResponseMessage answer = await SendAsync(key, HttpMethod.Post, "/drain");
        if (problem is not null) await ServiceApp.AssertProblem(answer, status, problem);
        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Every_route_that_changes_something_on_the_management_port_needs_an_admin()
    {
        await using RunningService service = RunningService.With([("Jobs:Store", "sqlite"), ("Jobs:Path", _folder.File("changes.db")), .. Clients]);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        (HttpMethod Method, string Path)[] changes = CrossSiteTests.Changes(service.App);
        Assert.True(changes.Length > 4, $"{changes.Length} routes were found");

        foreach (var (method, path) in changes)
        {
            foreach (var (key, status) in NoAdmins)
                Assert.Equal((path, key, status), (path, key, await StatusAsync(method, path, key)));
        }
        Assert.Equal(0, service.App.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Accepted);
        Assert.False(service.App.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);

        // The two routes that stop the service are left out.
        foreach (var (method, path) in changes.Where(static change => change.Path is not ("/drain" or "/stop")))
        {
            int status = await StatusAsync(method, path, Admin);
            Assert.False(status is 401 or 403, $"{path}: {status}");
        }

        async Task<int> StatusAsync(HttpMethod method, string path, string? key)
        {
            string? header = key is null ? null : "X-Api-Key";
            using HttpResponseMessage answer = await CrossSiteTests.SendAsync(http, service, method, path, "/v1/jobs/none", header, key);
            return (int)answer.StatusCode;
        }
    }

    private async Task<string> JobAsync(string key, params (string Name, string Value)[] headers)
    {
        using HttpResponseMessage accepted = await SendAsync(key, HttpMethod.Get, "/v1/diagnostics/noop", [("Prefer", "respond-async"), .. headers]);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        return new Uri(accepted.RequestMessage!.RequestUri!, accepted.Headers.Location!).AbsolutePath;
    }

    private Task<string> JobAsync(string key, string name, string value) => JobAsync(key, (name, value));

    private Task<HttpResponseMessage> SendAsync(string? key, HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path);
        if (key is not null) request.Headers.Add("X-Api-Key", key);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return _app.CreateClient().SendAsync(request, ServiceApp.Token);
    }
}
