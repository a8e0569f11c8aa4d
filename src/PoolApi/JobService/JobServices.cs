using System.Diagnostics.Metrics;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.JobRoutes;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using PoolApi.Jobs.Sqlite;
using PoolApi.Threading;

namespace PoolApi.JobService;

/// <summary>Puts the parts of jobs together.</summary>
internal static class JobServices
{
    /// <param name="services">The services.</param>
    /// <param name="settings">Where jobs are kept and how they run.</param>
    /// <param name="configure">How every endpoint's requests are stored.</param>
    /// <exception cref="ArgumentException">Something is to be kept that must not be.</exception>
    public static void AddJobs(this IServiceCollection services, JobSettings settings, Action<StorableOptions>? configure = null)
    {
        var storable = new StorableOptions();
        configure?.Invoke(storable);
        services.AddSingleton(storable);
        services.AddSingleton(settings);
        services.AddSingleton<JobKinds>();
        services.AddSingleton<IJobKinds>(static s => s.GetRequiredService<JobKinds>());
        services.AddSingleton<IJobStore>(s => new MeasuredJobStore(Store(s), s.GetRequiredService<JobInstruments>()));
        services.AddSingleton<JobWatch>();
        services.AddSingleton<JobCounts>();
        services.AddSingleton(static s => new JobInstruments(
            s.GetRequiredService<IMeterFactory>().Create(FixedThreadPool.MeterName), () => s.GetRequiredService<JobCounts>().Known));
        services.AddSingleton<IJobExecutor, StoredRequestRunner>();
        services.AddSingleton(s => new JobDispatcher(
            s.GetRequiredService<IJobStore>(),
            s.GetRequiredService<IJobExecutor>(),
            s.GetRequiredService<FixedThreadPool>(),
            s.GetRequiredService<JobWatch>(),
            settings.Running,
            s.GetRequiredService<JobInstruments>(),
            Clock(s),
            s.GetRequiredService<ILogger<JobDispatcher>>()));
        services.AddSingleton<IMeasuredBudget>(static s => new JobBudget(s.GetRequiredService<JobDispatcher>()));
        services.AddSingleton<JobHosting>();
        services.AddHostedService(static s => s.GetRequiredService<JobHosting>());
        services.AddSingleton<IUnfinishedWork>(static s => s.GetRequiredService<JobHosting>());
        services.AddOptions<HostOptions>().PostConfigure(static host => host.ShutdownTimeout += JobHosting.LastWrites);
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            "jobs", static s => new JobStoreCheck(s.GetRequiredService<IJobStore>()), HealthStatus.Unhealthy, [PoolHealth.ReadyTag]));

        IJobStore Store(IServiceProvider services) => settings.Store == JobStoreKind.Postgres
            ? new PostgreSqlJobStore(settings.ConnectionString)
            : new SqliteJobStore(settings.Path, Clock(services), services.GetRequiredService<ILogger<SqliteJobStore>>());

        static TimeProvider Clock(IServiceProvider services) => services.GetService<TimeProvider>() ?? TimeProvider.System;
    }
}
