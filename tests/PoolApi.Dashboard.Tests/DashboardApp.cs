using System.Text.Json;
using Microsoft.AspNetCore.TestHost;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;

namespace PoolApi.Dashboard.Tests;

/// <summary>An app with a pool and, if wanted, jobs, that maps the dashboard under <c>/ops/pools</c>.</summary>
internal sealed class DashboardApp : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();

    private DashboardApp(WebApplication app) => App = app;

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public WebApplication App { get; private set; }

    public HttpClient Client => field ??= Connect();

    public IJobStore Jobs => App.Services.GetRequiredService<IJobStore>();

    public static async Task<DashboardApp> StartAsync(
        Action<PoolDashboardOptions>? configure = null, bool jobs = false, Action<WebApplicationBuilder>? services = null,
        Action<IEndpointConventionBuilder>? mapped = null, Action<WebApplication>? routes = null, Func<IJobStore, IJobStore>? store = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 2);
        services?.Invoke(builder);
        var dashboard = new DashboardApp(null!);
        // The app runs jobs that are due. QueueAsync makes jobs that stay queued.
        if (jobs) builder.Services.AddJobs(o => o.Share = 0.5).UseSqlite(dashboard._folder.File("jobs.db"));
        if (store is not null)
        {
            var own = builder.Services.Last(static service => service.ServiceType == typeof(IJobStore)).ImplementationFactory!;
            builder.Services.AddSingleton(services => store((IJobStore)own(services)));
        }
        dashboard.App = builder.Build();
        mapped?.Invoke(dashboard.App.MapPoolDashboard("/ops/pools", configure));
        if (mapped is null) dashboard.App.MapPoolDashboard("/ops/pools", configure);
        if (jobs) dashboard.App.MapJobs("/jobs");
        routes?.Invoke(dashboard.App);
        await dashboard.App.StartAsync(Token);
        return dashboard;
    }

    /// <summary>A job that is not due for a day, so that it stays queued.</summary>
    public async Task<Job> QueueAsync(string tag = "t", string kind = "k") => (await Jobs.AcceptAsync(
        new NewJob
        {
            Kind = kind,
            Tags = [tag],
            MaxAttempts = 3,
            RunAt = DateTimeOffset.UtcNow.AddDays(1),
            Payload = new JobPayload(ReadOnlyMemory<byte>.Empty, "POST", "/x", ""),
        },
        Token)).Job;

    public async Task<JsonElement> ReadAsync(string path)
    {
        using HttpResponseMessage answer = await Client.GetAsync(path, Token);
        string text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {(int)answer.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement.Clone();
    }

    public Task<HttpResponseMessage> PostAsync(string path, string body = "{}", params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
        foreach ((string name, string value) in headers)
        {
            if (name == "Host") request.Headers.Host = value;
            else request.Headers.TryAddWithoutValidation(name, value);
        }
        return Client.SendAsync(request, Token);
    }

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        _folder.Dispose();
    }

    private HttpClient Connect()
    {
        HttpClient client = App.GetTestClient();
        client.BaseAddress = new Uri("http://localhost/ops/pools/");
        return client;
    }
}
