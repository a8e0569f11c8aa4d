using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc.Testing;

namespace PoolApi.Consumers.Tests;

/// <summary>Several pools in an app, and several apps in a process.</summary>
public sealed class HostsTests
{
    /// <summary>An app that a test can start several times in one process.</summary>
    internal sealed class Startup
    {
        public void ConfigureServices(IServiceCollection services)
        {
            services.AddRouting();
            services.AddFixedThreadPool("cpu", static o => o.Workers = 1);
        }

        public void Configure(IApplicationBuilder app)
        {
            app.UseRouting();
            app.UseEndpoints(static endpoints => endpoints.MapGet("/", static () => Trail.Here).RunOnPool());
        }
    }

    private sealed class Factory : WebApplicationFactory<Startup>
    {
        protected override IHostBuilder CreateHostBuilder() =>
            new HostBuilder().ConfigureWebHost(static web => web.UseStartup<Startup>());

        protected override void ConfigureWebHost(IWebHostBuilder builder) => builder.UseContentRoot(AppContext.BaseDirectory);
    }

    [Fact]
    public async Task Hosts_in_parallel_have_pools_of_their_own()
    {
        const int Hosts = 6;
        Meeting started = new(Hosts), served = new(Hosts);
        await Task.WhenAll(Enumerable.Range(1, Hosts).Select(requests => Task.Run(async () =>
        {
            await using var factory = new Factory();
            using HttpClient client = factory.CreateClient();
            await started.ArriveAsync();
            for (int i = 0; i < requests; i++) Assert.Equal("cpu", await client.GetStringAsync(new Uri("/", UriKind.Relative), ConsumerApp.Token));
            await served.ArriveAsync();
            FixedThreadPool pool = factory.Services.GetRequiredService<FixedThreadPool>();
            Assert.Equal((requests, 1), (pool.GetSnapshot().Counts[WorkOutcome.Completed], pool.Workers));
        })));
    }

    /// <summary>A point where tasks wait until all of them are there.</summary>
    private sealed class Meeting(int tasks)
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _missing = tasks;

        public Task ArriveAsync()
        {
            if (Interlocked.Decrement(ref _missing) == 0) _all.SetResult();
            return _all.Task.Patiently();
        }
    }

    [Fact]
    public async Task A_host_that_stops_does_not_affect_another_host()
    {
        await using var staying = new Factory();
        using HttpClient client = staying.CreateClient();
        await using (var leaving = new Factory())
        {
            using HttpClient other = leaving.CreateClient();
            Assert.Equal("cpu", await other.GetStringAsync(new Uri("/", UriKind.Relative), ConsumerApp.Token));
        }
        Assert.Equal("cpu", await client.GetStringAsync(new Uri("/", UriKind.Relative), ConsumerApp.Token));
    }

    [Fact]
    public async Task The_metrics_of_a_host_name_the_pool_and_count_only_its_own_requests()
    {
        await using ConsumerApp one = await StartAsync(), two = await StartAsync();
        using MeasuredApp seenOfOne = new(one), seenOfTwo = new(two);
        await one.GetAsync("/cpu");
        await one.GetAsync("/io");
        await one.GetAsync("/io");

        Assert.Equal(1, seenOfOne.Accepted("cpu"));
        Assert.Equal(2, seenOfOne.Accepted("io"));
        Assert.Equal(0, seenOfTwo.Accepted("cpu") + seenOfTwo.Accepted("io"));

        static Task<ConsumerApp> StartAsync() => ConsumerApp.StartAsync(
            static b => b.Services.AddFixedThreadPool("io", static o => o.Workers = 1),
            static app =>
            {
                app.MapGet("/cpu", static () => "").RunOnPool("cpu");
                app.MapGet("/io", static () => "").RunOnPool("io");
            });
    }

    [Fact]
    public async Task A_full_pool_names_itself_in_its_refusal_and_does_not_block_another_pool()
    {
        using var gate = new Gate();
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddFixedThreadPool("io", static o => (o.Workers, o.QueueCapacity) = (1, 1)),
            app =>
            {
                app.MapGet("/io", () =>
                {
                    gate.Pass();
                    return Trail.Here;
                }).RunOnPool("io");
                app.MapGet("/cpu", static () => Trail.Here).RunOnPool("cpu");
            });
        Task<Reply> running = app.GetAsync("/io");
        await gate.NextArrivalAsync();
        // The queue has room for one of two more requests: the other is refused at once.
        Task<Reply>[] more = [app.GetAsync("/io"), app.GetAsync("/io")];
        Reply refused = await await Task.WhenAny(more);
        Assert.Contains("urn:poolapi:problem:queue-full", refused.Body, StringComparison.Ordinal);
        Assert.Contains("\"pool\":\"io\"", refused.Body, StringComparison.Ordinal);
        Assert.Equal("cpu", (await app.GetAsync("/cpu")).Ok());
        gate.Open();
        Assert.Equal("io", (await running).Ok());
        await Task.WhenAll(more);
    }

    [Fact]
    public async Task A_request_that_an_app_passes_on_from_its_pool_to_another_app_stays_on_that_pool()
    {
        var relay = new Relay();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddFixedThreadPool("inner", static o => o.Workers = 1);
        builder.Services.AddSingleton<IServer>(relay);
        await using WebApplication inner = builder.Build();
        inner.MapGet("/", static () => Trail.Here).RunOnPool("inner");
        await inner.StartAsync(ConsumerApp.Token);
        await using ConsumerApp outer = await ConsumerApp.StartAsync(
            static b => b.Services.AddFixedThreadPool("outer", static o => o.Workers = 1),
            app => app.MapGet("/", relay.ServeAsync).RunOnPool("outer"));

        Assert.Equal("outer", (await outer.GetAsync("/")).Ok());
        Assert.Equal((1, 0), (outer.Pool("outer").GetSnapshot().Accepted, inner.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Accepted));
    }

    /// <summary>A server without sockets: another app of the process passes its requests on to it.</summary>
    private sealed class Relay : IServer
    {
        private Func<IFeatureCollection, Task>? _serve;

        public IFeatureCollection Features { get; } = new FeatureCollection();

        public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
            where TContext : notnull
        {
            _serve = async features =>
            {
                TContext context = application.CreateContext(features);
                try
                {
                    await application.ProcessRequestAsync(context);
                }
                finally
                {
                    application.DisposeContext(context, exception: null);
                }
            };
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        /// <summary>Passes a request on with all that the other app knows of it, but for that app's services, endpoint and route values.</summary>
        public Task ServeAsync(HttpContext context)
        {
            var features = new FeatureCollection();
            foreach ((Type type, object feature) in context.Features)
            {
                if (feature is not (IServiceProvidersFeature or IEndpointFeature or IRouteValuesFeature)) features[type] = feature;
            }
            return _serve!(features);
        }

        public void Dispose()
        {
        }
    }

    /// <summary>The counters of one app: its instruments belong to its own meter factory.</summary>
    private sealed class MeasuredApp : IDisposable
    {
        private readonly ConcurrentDictionary<string, long> _accepted = new();
        private readonly MeterListener _listener = new();

        public MeasuredApp(ConsumerApp app)
        {
            IMeterFactory factory = app.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == FixedThreadPool.MeterName && ReferenceEquals(instrument.Meter.Scope, factory))
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            {
                if (instrument.Name != "poolapi.work.accepted") return;
                foreach (var tag in tags)
                {
                    if (tag.Key == "pool") _accepted.AddOrUpdate((string)tag.Value!, value, (_, sum) => sum + value);
                }
            });
            _listener.Start();
        }

        public long Accepted(string pool)
        {
            _accepted.Clear();
            _listener.RecordObservableInstruments();
            return _accepted.GetValueOrDefault(pool);
        }

        public void Dispose() => _listener.Dispose();
    }
}
