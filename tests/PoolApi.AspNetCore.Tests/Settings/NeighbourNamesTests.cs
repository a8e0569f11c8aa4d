using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Settings;

/// <summary>The library's settings, health checks and metrics do not collide with those of the app, of another pool or of another host.</summary>
public sealed class NeighbourNamesTests
{
    [Fact]
    public async Task Each_pool_reads_the_section_of_its_name_and_ignores_the_apps_own_sections()
    {
        await using TestApp app = await StartAsync(
            new()
            {
                ["Pool:Size"] = "olympic",
                ["Pool:Workers"] = "many",
                ["Shutdown:Command"] = "now",
                ["Shutdown:Drain"] = "the pool",
                ["Pools:garden:Depth"] = "2 m",
                ["Pools:cpu:Workers"] = "2",
                ["Pools:io:Workers"] = "3",
                ["PoolShutdown:Drain"] = "00:00:07",
            },
            static services => services.AddFixedThreadPool("cpu").Services.AddFixedThreadPool("io"));
        Assert.Equal((2, 3), (app.PoolContext().Threads.Workers, app.PoolContext("io").Threads.Workers));
        Assert.Equal(TimeSpan.FromSeconds(7), app.App.Services.GetRequiredService<IOptions<ShutdownOptions>>().Value.Drain);
    }

    [Theory]
    [InlineData("Pools:cpu:Wrokers", "Pools:cpu:Wrokers is not a setting")]
    [InlineData("PoolShutdown:Drian", "PoolShutdown:Drian is not a setting")]
    [InlineData("Pools:cpu:Workers", "Pools:cpu:Workers is 'x'")]
    [InlineData("PoolShutdown:Drain", "PoolShutdown:Drain is 'x'")]
    public async Task An_unknown_key_or_invalid_value_in_a_section_that_is_not_shared_fails_the_start(string key, string fault) =>
        Assert.StartsWith(
            fault, Assert.Single(await FaultsAsync(new() { [key] = "x" }, static services => services.AddFixedThreadPool())), StringComparison.Ordinal);

    [Fact]
    public async Task A_section_may_be_shared_with_the_app()
    {
        static void Add(IServiceCollection services)
        {
            services.AddFixedThreadPool().FromSection("Pool", isShared: true);
            services.ConfigurePoolShutdown("Shutdown", isShared: true);
        }

        await using TestApp app = await StartAsync(
            new() { ["Pool:Size"] = "olympic", ["Pool:Workers"] = "2", ["Shutdown:Command"] = "now", ["Shutdown:Drain"] = "00:00:07" }, Add);
        Assert.Equal(2, app.PoolContext().Threads.Workers);
        Assert.Equal(TimeSpan.FromSeconds(7), app.App.Services.GetRequiredService<IOptions<ShutdownOptions>>().Value.Drain);
        Assert.Equal(
            ["Pool:Workers is 'two'", "Shutdown:Drain is 'soon'"],
            (await FaultsAsync(new() { ["Pool:Workers"] = "two", ["Shutdown:Drain"] = "soon" }, Add)).Select(static f => f[..f.IndexOf(';', StringComparison.Ordinal)]));
    }

    [Theory]
    [InlineData("Pool", "pool", "The pools 'one' and 'two' both have the section pool")]
    [InlineData("Pools:two", null, "The pools 'one' and 'two' both have the section Pools:two")]
    [InlineData(null, "Pools:One", "The pools 'one' and 'two' both have the section Pools:One")]
    [InlineData("PoolShutdown", null, "The pool 'one' and the stop both have the section PoolShutdown")]
    public async Task A_section_that_two_pools_or_a_pool_and_the_stop_use_fails_the_start(string? sectionOfOne, string? sectionOfTwo, string fault) => Assert.StartsWith(
        fault,
        Assert.Single(await FaultsAsync([], services =>
        {
            FixedThreadPoolBuilder one = services.AddFixedThreadPool("one");
            if (sectionOfOne is not null) one.FromSection(sectionOfOne);
            FixedThreadPoolBuilder two = services.AddFixedThreadPool("two");
            if (sectionOfTwo is not null) two.FromSection(sectionOfTwo);
        })),
        StringComparison.Ordinal);

    [Fact]
    public async Task Health_checks_and_tags_of_the_app_with_plain_names_do_not_affect_the_probes()
    {
        await using TestApp app = await StartAsync(
            [],
            static services => services.AddFixedThreadPool().Services.AddHealthChecks()
                .AddCheck("shutdown", static () => HealthCheckResult.Unhealthy(), ["startup"])
                .AddCheck("startup", static () => HealthCheckResult.Unhealthy(), ["shutdown"]),
            static app => app.MapPoolHealth());
        foreach (string path in (string[])["/readyz", "/startupz"])
        {
            using HttpResponseMessage probe = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
            Assert.Equal(HttpStatusCode.OK, probe.StatusCode);
        }
    }

    [Theory]
    [InlineData(null, 28.5, false)]
    [InlineData(5.0, 28.5, true)]
    [InlineData(28.5, 28.5, false)]
    [InlineData(30.0, 30.0, false)] // the framework's default, set by the app
    [InlineData(300.0, 300.0, false)]
    [InlineData(-0.001, -0.001, false)] // no limit
    public async Task The_apps_ShutdownTimeout_is_kept_or_raised_with_a_log_line_if_it_is_too_short(double? set, double expected, bool isLogged)
    {
        await using TestApp app = await StartAsync(
            new() { ["PoolShutdown:Watchdog"] = "false" },
            services =>
            {
                services.AddFixedThreadPool();
                if (set is { } seconds) services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(seconds));
            });
        Assert.Equal(TimeSpan.FromSeconds(expected), app.App.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
        string[] lines = app.Log.With("HostOptions.ShutdownTimeout");
        if (isLogged) Assert.StartsWith("HostOptions.ShutdownTimeout is raised from 00:00:05 to 00:00:28.5000000,", Assert.Single(lines), StringComparison.Ordinal);
        else Assert.Empty(lines);
    }

    [Fact]
    public async Task An_empty_watchdog_setting_without_AddPoolProcessLifetime_counts_as_not_set()
    {
        await using TestApp app = await StartAsync(new() { ["PoolShutdown:Watchdog"] = "" }, static services => services.AddFixedThreadPool());
        Assert.True(app.App.Services.GetRequiredService<IOptions<ShutdownOptions>>().Value.Watchdog);
    }

    [Theory]
    [InlineData(30.0, 33.0)]
    [InlineData(-0.001, null)]
    [InlineData(2073600.0, 2073603.0)] // 24 days
    [InlineData(2592000.0, null)] // 30 days, which no thread can wait
    [InlineData(922337203685.0, null)] // nearly TimeSpan.MaxValue
    public void WatchdogTime_is_3_seconds_past_the_shutdown_timeout_or_null_if_too_long_to_wait(double timeout, double? watchdog) => Assert.Equal(
        watchdog, ProcessLifetime.WatchdogTime(new HostOptions { ShutdownTimeout = TimeSpan.FromSeconds(timeout) })?.TotalSeconds);

    [Fact]
    public async Task Two_hosts_in_one_process_do_not_share_series()
    {
        static void Map(WebApplication app) => app.MapGet("/", static () => "ran").RunOnPool();
        await using TestApp one = await StartAsync([], static services => services.AddFixedThreadPool(), Map);
        await using TestApp two = await StartAsync([], static services => services.AddFixedThreadPool(), Map);
        using var listener = new MeterListener();
        object? scope = one.App.Services.GetRequiredService<IMeterFactory>();
        long accepted = 0, ofOthers = 0;
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Scope == scope && instrument is { Meter.Name: FixedThreadPool.MeterName, Name: "poolapi.work.accepted" }) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags is [{ Key: "pool", Value: "cpu" }]) accepted += value;
            else ofOthers++;
        });
        listener.Start();

        await one.Client.GetStringAsync("/", TestApp.Token);
        for (int i = 0; i < 3; i++) await two.Client.GetStringAsync("/", TestApp.Token);
        listener.RecordObservableInstruments();

        Assert.Equal((1, 0), (accepted, ofOthers));
    }

    private static Task<TestApp> StartAsync(
        Dictionary<string, string?> settings, Action<IServiceCollection> add, Action<WebApplication>? map = null) =>
        TestApp.StartAsync(map ?? (static _ => { }), Own(settings), b => add(b.Services), pool: false);

    private static async Task<string[]> FaultsAsync(Dictionary<string, string?> settings, Action<IServiceCollection> add)
    {
        Exception thrown = await Assert.ThrowsAnyAsync<Exception>(() => StartAsync(settings, add));
        return [.. Flat(thrown).Order(StringComparer.Ordinal)];

        static IEnumerable<string> Flat(Exception e) => e switch
        {
            AggregateException many => many.InnerExceptions.SelectMany(Flat),
            OptionsValidationException faults => faults.Failures,
            _ => [e.ToString()],
        };
    }

    /// <summary>Removes the settings that <see cref="TestApp"/> has for other tests.</summary>
    private static Dictionary<string, string?> Own(Dictionary<string, string?> settings)
    {
        foreach (string key in (string[])["Pool:Workers", "Pool:MaxQueueTime", "Shutdown:Drain", "Shutdown:Cancel", "Shutdown:Watchdog"]) settings.TryAdd(key, null);
        return settings;
    }
}
