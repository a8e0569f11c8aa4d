using System.Text.Json.Nodes;
using Microsoft.AspNetCore.TestHost;
using PoolApi.JobSetup;
using PoolApi.Jobs.Stores;
using PoolApi.Problems;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>An app of endpoints whose requests can be stored, on a test server, with a store of its own.</summary>
internal sealed class StorableApp : IAsyncDisposable
{
    private readonly TemporaryFolder _folder;

    private StorableApp(WebApplication app, CapturingLog log, TemporaryFolder folder)
    {
        (App, Log, _folder) = (app, log, folder);
        Client = app.GetTestClient();
        Client.Timeout = Patience.Long;
    }

    public WebApplication App { get; }

    public CapturingLog Log { get; }

    public HttpClient Client { get; }

    public IJobStore Store => App.Services.GetRequiredService<IJobStore>();

    /// <summary>Every file of the store.</summary>
    public IEnumerable<string> Files => Directory.EnumerateFiles(_folder.File(""));

    /// <param name="map">The endpoints, and the middleware before them.</param>
    /// <param name="storable">How requests are stored.</param>
    /// <param name="services">More services.</param>
    /// <param name="settings">More settings.</param>
    public static async Task<StorableApp> StartAsync(
        Action<WebApplication> map, Action<JobsOptions>? storable = null, Action<IServiceCollection>? services = null,
        params (string Key, string Value)[] settings)
    {
        var folder = new TemporaryFolder();
        try
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
            builder.WebHost.UseTestServer();
            var log = new CapturingLog();
            builder.Logging.ClearProviders().AddProvider(log);
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Jobs:Path"] = folder.File("jobs.db"),
                ["Jobs:MaxAttempts"] = "2",
                ["Jobs:RetryDelay"] = "00:00:00.001",
            });
            builder.Configuration.AddInMemoryCollection(settings.ToDictionary(static s => s.Key, static s => (string?)s.Value));
            builder.Services.AddFixedThreadPool("cpu", static o => o.Workers = 2);
            builder.Services.AddProblems();
            var jobs = JobSettings.Read(builder.Configuration, folder.File(""), []);
            builder.Services.AddJobs(jobs.Configure + storable).UseSqlite(jobs.Path);
            services?.Invoke(builder.Services);
            WebApplication app = builder.Build();
            app.UseExceptionHandler();
            map(app);
            app.MapJobs("/v1/jobs");
            await app.StartAsync(ServiceApp.Token);
            return new StorableApp(app, log, folder);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Sends a request, directly or as a job, and waits for its response.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, bool asJob)
    {
        if (asJob) request.Headers.Add("Prefer", "respond-async, wait=150");
        HttpResponseMessage answer = await Client.SendAsync(request, ServiceApp.Token);
        if (asJob) Assert.NotNull(answer.Content.Headers.ContentLocation); // the response is that of a job
        return answer;
    }

    /// <summary>The job of a response.</summary>
    public async Task<JsonNode> JobOfAsync(HttpResponseMessage answer)
    {
        var result = new Uri(answer.RequestMessage!.RequestUri!, answer.Content.Headers.ContentLocation!);
        return JsonNode.Parse(await Client.GetStringAsync(new Uri(result, "../" + result.Segments[^2].TrimEnd('/')), ServiceApp.Token))!;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.StopAsync(CancellationToken.None);
        await App.DisposeAsync();
        _folder.Dispose();
    }
}
