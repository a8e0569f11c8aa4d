using Microsoft.Extensions.Configuration;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Dashboard;
using PoolApi.Dashboard.Changes;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Jobs;
using PoolApi.Dashboard.Pages;
using PoolApi.Dashboard.Streams;
using PoolApi.Dashboard.Traces;
using PoolApi.Jobs.Stores;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the dashboard.</summary>
public static class MapPoolDashboardExtensions
{
    private const int MostStreams = 256;

    /// <summary>
    /// Maps the pages that show every worker and every job of the app, live and over the last minutes, under a path. The pages show the jobs of
    /// all clients and can change them unless <see cref="PoolDashboardOptions.ReadOnly"/> is set, so the app must restrict who can open them.
    /// </summary>
    /// <param name="endpoints">The routes of the app.</param>
    /// <param name="prefix">The path prefix of all routes of the dashboard.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>A builder for all routes of the dashboard, for <c>RequireAuthorization()</c> and the like.</returns>
    /// <exception cref="InvalidOperationException">The app has no pool, or an option is out of its range.</exception>
    public static IEndpointConventionBuilder MapPoolDashboard(
        this IEndpointRouteBuilder endpoints, string prefix = "/pools", Action<PoolDashboardOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(prefix);
        var options = new PoolDashboardOptions();
        configure?.Invoke(options);
        ChangeGuard.Check(options);
        IServiceProvider services = endpoints.ServiceProvider;
        var known = services.GetRequiredService<IServiceProviderIsService>();
        if (!known.IsService(typeof(ShutdownCoordinator))) throw new InvalidOperationException("There is no pool to show: call services.AddFixedThreadPool().");
        bool hasJobs = known.IsService(typeof(IJobStore));
        TimeProvider time = services.GetService<TimeProvider>() ?? TimeProvider.System;

        string instance = Guid.NewGuid().ToString("N")[..12];
        var log = new ActionLog(time);
        PoolMonitor monitor = PoolMonitor.Of(services);
        var status = new StatusView(services, instance, hasJobs, time);
        var streams = new PageStreams(status, MostStreams, time);
        Snapshots snapshots = TraceSetup.Start(services, monitor, options);
        var running = new RunningJobs(services, monitor);
        var feed = new FrameFeed(monitor, running, instance, [new Rights(options), log, snapshots], time, services.GetRequiredService<ILogger<FrameFeed>>());
        services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped.Register(feed.Dispose);

        RouteGroupBuilder group = endpoints.MapGroup(prefix);
        group.ExcludeFromDescription();
        PageEndpoints.Map(group);
        StreamEndpoints.Map(group, feed, streams, status, monitor);
        RouteGroupBuilder? changes = null;
        if (!options.ReadOnly)
        {
            var guard = new ChangeGuard(options, services.GetRequiredService<IConfiguration>());
            changes = group.MapGroup("");
            changes.AddEndpointFilter((invocation, next) => guard.Refuse(invocation.HttpContext) is { } refusal
                ? ValueTask.FromResult<object?>(refusal)
                : next(invocation));
            PoolChanges.Map(changes, options, log);
        }
        JobEndpoints.Map(group, changes, log, streams, running);
        TraceEndpoints.Map(group, monitor, snapshots);
        return group;
    }
}
