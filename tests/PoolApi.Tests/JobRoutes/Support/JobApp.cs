using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Time.Testing;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Auth;
using PoolApi.Documentation;
using PoolApi.JobSetup;
using PoolApi.Jobs.Stores;
using PoolApi.Problems;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRoutes.Support;

/// <summary>An app with the jobs routes only, over a store in memory.</summary>
internal sealed class JobApp : IAsyncDisposable
{
    public const string AliceKey = "alice-has-this-key";
    public const string BobKey = "bob-has-this-other-key";

    private JobApp(WebApplication app, FakeJobStore store, Uri? address)
    {
        App = app;
        Store = store;
        Address = address;
        Client = address is null ? app.GetTestClient() : new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address };
        Client.Timeout = Patience.Long;
    }

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public WebApplication App { get; }

    public FakeJobStore Store { get; }

    public HttpClient Client { get; }

    /// <summary>Where it listens; null on a test server.</summary>
    public Uri? Address { get; }

    /// <param name="keys">Whether Alice and Bob need their keys.</param>
    /// <param name="kestrel">Whether the app listens on a real socket.</param>
    /// <param name="configure">Further configuration.</param>
    /// <param name="answerBytes">The budget of bytes for responses that clients have not read.</param>
    /// <param name="stall">How long a client may take for a piece of a response.</param>
    public static async Task<JobApp> StartAsync(bool keys = false, bool kestrel = false, Action<WebApplicationBuilder>? configure = null, long answerBytes = 1 << 30,
        TimeSpan? stall = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection();
        builder.Logging.ClearProviders();
        if (kestrel) builder.WebHost.UseUrls("http://127.0.0.1:0");
        else builder.WebHost.UseTestServer();
        builder.Services.AddProblems();
        JobServices.AddRoutes(builder.Services);
        if (keys) builder.Services.Configure<JobsOptions>(static o => o.Client = static context => context.Features.Get<ApiClient>()?.Name);
        builder.Services.AddDocumentation(asksForKeys: keys);
        var store = new FakeJobStore();
        builder.Services.AddSingleton<IJobStore>(store);
        builder.Services.AddSingleton(store.Watch);
        builder.Services.AddSingleton<IJobKinds, Kinds>();
        builder.Services.AddSingleton(new ResponseBudget(answerBytes) { StallTimeout = stall ?? TimeSpan.FromMinutes(1) });
        configure?.Invoke(builder);
        WebApplication app = builder.Build();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        if (keys) app.UseApiKeys(new ApiKeyRing(new ApiKeys([(ApiKeyHash.Of(AliceKey), new("alice")), (ApiKeyHash.Of(BobKey), new("bob"))])));
        app.MapOpenApi();
        app.MapServiceJobs();
        await app.StartAsync(Token);
        string? address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        return new JobApp(app, store, kestrel ? new Uri(address!) : null);
    }

    /// <summary>Gives the app a clock that stands still, so that a request that waits for its time limit waits forever.</summary>
    public static void StopClock(WebApplicationBuilder builder) => builder.Services.AddSingleton<TimeProvider>(new FakeTimeProvider(DateTimeOffset.UtcNow));

    /// <summary>Sends a request without validating its headers.</summary>
    public async Task<HttpResponseMessage> SendAsync(string method, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        foreach (var (name, value) in headers) Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
    }

    public Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync("GET", path, headers);

    public static async Task<JsonNode> JsonOf(HttpResponseMessage response, int status)
    {
        string text = await response.Content.ReadAsStringAsync(Token);
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode}: {text}");
        Assert.Equal(MediaTypeHeaderValue.Parse("application/json; charset=utf-8"), response.Content.Headers.ContentType);
        return JsonNode.Parse(text)!;
    }

    public async Task AssertProblem(string method, string path, int status, string name, string? field = null, string? says = null, params (string, string)[] headers)
    {
        using HttpResponseMessage response = await SendAsync(method, path, headers);
        await ServiceApp.AssertProblem(response, status, name, field, says);
    }

    public static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values) ? string.Join(", ", values) : null;

    /// <summary>Waits until this many jobs are watched. From then on the store reports their changes.</summary>
    public Task UntilWatched(int jobs) => Patience.UntilAsync(() => Store.Watch.Count == jobs, $"{jobs} watched jobs");

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.StopAsync(CancellationToken.None);
        await App.DisposeAsync();
    }

    private sealed class Kinds : IJobKinds
    {
        public IReadOnlyList<string> All => ["thumbnails", "diagnostics/sleep"];

        public bool Exists(string kind) => All.Contains(kind);
    }
}
