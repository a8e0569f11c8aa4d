using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Dashboard.History;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Tests.Support;

/// <summary>An app with one pool, "cpu", and its monitor. The test advances its clock.</summary>
internal sealed class MonitoredApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private MonitoredApp(WebApplication app, FakeTimeProvider? clock)
    {
        _app = app;
        Clock = clock;
        Pool = app.Services.GetRequiredService<FixedThreadPool>();
        Monitor = PoolMonitor.Of(app.Services);
    }

    /// <summary>Null: the app uses the system clock.</summary>
    public FakeTimeProvider? Clock { get; }

    public FixedThreadPool Pool { get; }

    public PoolMonitor Monitor { get; }

    public IServiceProvider Services => _app.Services;

    public PoolHistory History => Monitor.Pools[0];

    public WebApplication App => _app;

    public static async Task<MonitoredApp> StartAsync(
        int workers = 1, bool fakeClock = true, Action<FixedThreadPoolOptions>? threads = null, Action<WebApplication>? map = null,
        Action<AspNetCore.PoolOptions>? pool = null, Dictionary<string, string?>? settings = null, FakeTimeProvider? clock = null,
        ILoggerProvider? log = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        if (log is not null) builder.Logging.AddProvider(log);
        if (settings is not null) builder.Configuration.AddInMemoryCollection(settings);
        if (fakeClock) clock ??= new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        if (clock is not null) builder.Services.AddSingleton<TimeProvider>(clock);
        builder.Services.AddFixedThreadPool("cpu", o =>
        {
            o.Workers = workers;
            pool?.Invoke(o);
        }).ConfigureThreads(o => threads?.Invoke(o));
        WebApplication app = builder.Build();
        PoolMonitor.Of(app.Services);
        map?.Invoke(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new MonitoredApp(app, clock);
    }

    /// <summary>Advances the clock by a second, in which the monitor ticks.</summary>
    public void Tick(int times = 1)
    {
        for (int i = 0; i < times; i++) Clock!.Advance(PoolMonitor.Period);
    }

    public HttpClient Client() => _app.GetTestClient();

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
