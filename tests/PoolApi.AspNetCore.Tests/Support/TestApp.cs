using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.TestHost;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Support;

/// <summary>A small app with a pool of one worker (unless a test sets another number), in this process.</summary>
internal sealed class TestApp : IAsyncDisposable
{
    private TestApp(WebApplication app, CapturingLog log, Uri? address)
    {
        App = app;
        Log = log;
        Address = address;
        Client = address is null ? app.GetTestClient() : new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address };
    }

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public WebApplication App { get; }

    public CapturingLog Log { get; }

    /// <summary>The address on which Kestrel listens; null with a test server.</summary>
    public Uri? Address { get; }

    public HttpClient Client { get; }

    public FixedThreadPool Pool => App.Services.GetRequiredService<FixedThreadPool>();

    public ShutdownCoordinator Shutdown => App.Services.GetRequiredService<ShutdownCoordinator>();

    public PoolContext PoolContext(string name = "cpu") => App.Services.GetRequiredKeyedService<PoolContext>(name);

    public static WebApplication Build(
        Action<WebApplication> map, Dictionary<string, string?>? settings, Action<WebApplicationBuilder>? configure, bool kestrel, bool pool, CapturingLog log)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Production" });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Pool:Workers"] = "1",
            // Longer than a busy machine takes for the steps of a test.
            ["Pool:MaxQueueTime"] = $"{MachineLoad.Stretch(TimeSpan.FromSeconds(30)):c}",
            ["Shutdown:Drain"] = $"{MachineLoad.Stretch(TimeSpan.FromSeconds(20)):c}",
            ["Shutdown:Cancel"] = $"{MachineLoad.Stretch(TimeSpan.FromSeconds(2)):c}",
            ["Shutdown:Watchdog"] = "false", // it would end the process of the tests
        });
        if (settings is not null) builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.ClearProviders().AddProvider(log).SetMinimumLevel(LogLevel.Debug);
        // On a busy machine a client of a test may be slower than the server allows; a test of that limit sets its own.
        if (kestrel) builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(static server => server.Limits.MinRequestBodyDataRate = null);
        else builder.WebHost.UseTestServer();
        if (pool) builder.Services.AddPoolProcessLifetime().ConfigurePoolShutdown("Shutdown").AddFixedThreadPool().FromSection("Pool");
        configure?.Invoke(builder);
        WebApplication app = builder.Build();
        map(app);
        return app;
    }

    public static async Task<TestApp> StartAsync(
        Action<WebApplication> map, Dictionary<string, string?>? settings = null, Action<WebApplicationBuilder>? configure = null,
        bool kestrel = false, bool pool = true)
    {
        var log = new CapturingLog();
        WebApplication app = Build(map, settings, configure, kestrel, pool, log);
        await app.StartAsync(Token);
        string? address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        return new TestApp(app, log, kestrel ? new Uri(address!) : null);
    }

    /// <summary>A raw connection, for requests that an HTTP client does not send.</summary>
    public Task<RawConnection> ConnectAsync() => RawConnection.OpenAsync(Address!.Port);

    public Task UntilQueued(int count) => Patience.UntilAsync(() => Pool.GetSnapshot().QueueLength == count, $"{count} queued");

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!App.Lifetime.ApplicationStopped.IsCancellationRequested) await App.StopAsync(CancellationToken.None);
        await App.DisposeAsync();
    }
}
