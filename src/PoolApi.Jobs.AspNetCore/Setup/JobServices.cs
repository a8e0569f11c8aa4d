using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Handlers;
using PoolApi.Jobs.AspNetCore.Hosting;
using PoolApi.Jobs.AspNetCore.Replay;
using PoolApi.Jobs.AspNetCore.Routes;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds durable jobs to an app.</summary>
public static class JobServices
{
    /// <summary>
    /// Adds jobs: requests that are stored and answered with 202, and that a worker of their endpoint's pool runs as soon as one is free, in this
    /// instance or another one with the same store. <c>AllowJobs</c> names the endpoints whose requests may become jobs. <c>MapJobs</c> maps the
    /// routes where clients find them. The app needs a pool (<c>AddFixedThreadPool</c>), added before, and a store: <c>UseSqlite</c> or
    /// <c>UsePostgreSql</c>.
    /// </summary>
    /// <param name="services">The app's services.</param>
    /// <param name="configure">Changes the options, which are validated when the app starts.</param>
    /// <returns>A builder for the store and for handlers.</returns>
    /// <exception cref="InvalidOperationException">Jobs have been added already.</exception>
    public static JobsBuilder AddJobs(this IServiceCollection services, Action<JobsOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(static s => s.ServiceType == typeof(JobHosting))) throw new InvalidOperationException("Jobs have been added already.");
        OptionsBuilder<JobsOptions> options = services.AddOptions<JobsOptions>();
        if (configure is not null) options.Configure(configure);
        options.ValidateOnStart();
        services.AddSingleton<IValidateOptions<JobsOptions>, JobsOptionsCheck>();
        AddRoutes(services);
        services.AddSingleton<JobPools>();
        services.AddRoutingCore();
        services.AddSingleton<IJobEndpoints, HandlerEndpoints>();
        services.AddSingleton<JobKinds>();
        services.AddSingleton<IJobKinds>(static s => s.GetRequiredService<JobKinds>());
        services.AddSingleton<JobWatch>();
        services.AddSingleton<JobCounts>();
        services.AddSingleton(static s => new JobInstruments(
            s.GetRequiredService<IMeterFactory>().Create(FixedThreadPool.MeterName), () => s.GetRequiredService<JobCounts>().Known));
        services.AddSingleton<IJobExecutor, StoredRequestRunner>();
        services.AddSingleton(static s => new JobDispatchers(
            s.GetService<IJobStore>() ?? throw new InvalidOperationException(
                "Jobs need a store: call UseSqlite(…) or UsePostgreSql(…) on what AddJobs returns."),
            s.GetRequiredService<IJobExecutor>(),
            s.GetRequiredService<JobKinds>().OfPools,
            s.GetRequiredService<JobWatch>(),
            s.GetRequiredService<IOptions<JobsOptions>>().Value.ToRunning(),
            s.GetRequiredService<JobInstruments>(),
            s.GetService<TimeProvider>() ?? TimeProvider.System,
            s.GetRequiredService<ILogger<JobDispatcher>>()));
        services.AddSingleton<IJobs, JobEnqueuer>();
        services.AddSingleton<IMeasuredBudget>(static s => new JobBudget(s.GetRequiredService<JobDispatchers>()));
        services.AddSingleton<JobHosting>();
        services.AddHostedService(static s => s.GetRequiredService<JobHosting>());
        services.AddSingleton<IUnfinishedWork>(static s => s.GetRequiredService<JobHosting>());
        services.AddOptions<HostOptions>().PostConfigure(static host =>
        {
            if (host.ShutdownTimeout != Timeout.InfiniteTimeSpan) host.ShutdownTimeout += JobHosting.LastWrites;
        });
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            "jobs", static s => new JobStoreCheck(s.GetRequiredService<IJobStore>()), HealthStatus.Unhealthy, [PoolHealth.ReadyTag]));
        return new JobsBuilder(services);
    }

    /// <summary>What the routes need beside the store, its watch and the kinds.</summary>
    internal static void AddRoutes(IServiceCollection services)
    {
        services.AddSingleton<JobsPath>();
        services.ConfigureHttpJsonOptions(static o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, JobJson.Default));
        services.ConfigureAll<OpenApiOptions>(JobDocs.AddTo);
    }

    private sealed class JobsOptionsCheck : IValidateOptions<JobsOptions>
    {
        public ValidateOptionsResult Validate(string? name, JobsOptions options)
        {
            string[] faults = [.. options.Faults()];
            return faults.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
        }
    }
}
