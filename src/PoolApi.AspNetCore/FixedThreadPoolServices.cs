using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Health;
using PoolApi.AspNetCore.Mvc;
using PoolApi.AspNetCore.Settings;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers fixed thread pools in an app.</summary>
public static class FixedThreadPoolServices
{
    /// <summary>
    /// Adds a pool of dedicated threads as a keyed <see cref="FixedThreadPool"/> service under its name. The pool that is added first is also
    /// the unkeyed <see cref="FixedThreadPool"/> service, and the pool of <c>RunOnPool()</c> without a name. The host starts its threads, and
    /// the host's stop drains and joins them. The settings are validated at the start.
    /// </summary>
    /// <remarks>
    /// A stop refuses new requests at once. The pool itself closes when the hosted services that were added after it have stopped, or at the
    /// deadline of the drain. So add a hosted service that uses the pool after the pool.
    /// </remarks>
    /// <param name="services">The app's services.</param>
    /// <param name="name">The pool's name. Its threads are named <c>{name}-{id}</c>, and its settings are in the section <c>Pools:{name}</c>.</param>
    /// <param name="configure">Changes the settings in code, after the configuration is read.</param>
    /// <returns>A builder for the options that are not settings.</returns>
    /// <exception cref="ArgumentException">A pool of that name has been added already.</exception>
    public static FixedThreadPoolBuilder AddFixedThreadPool(
        this IServiceCollection services, string name = "cpu", Action<PoolOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        if (services.Any(s => s.ImplementationInstance is PoolRegistration other && other.Name == name))
            throw new ArgumentException($"A pool named '{name}' has been added already.", nameof(name));

        AddCommon(services);
        PoolRegistration.Note();
        var registration = new PoolRegistration(name);
        services.AddSingleton(registration);
        services.AddSingleton<IConfigureOptions<PoolOptions>>(s => Setup(s, registration));
        services.AddSingleton<IValidateOptions<PoolOptions>>(s => Setup(s, registration));
        OptionsBuilder<PoolOptions> options = services.AddOptions<PoolOptions>(name);
        if (configure is not null) options.Configure(configure);
        options.ValidateOnStart();

        services.AddKeyedSingleton(name, (s, _) => PoolThreads.Options(s, registration));
        services.AddKeyedSingleton(name, (s, _) => PoolThreads.Start(name, s.GetRequiredKeyedService<FixedThreadPoolOptions>(name)));
        services.AddKeyedSingleton(name, (s, _) => new PoolContext(
            s.GetRequiredKeyedService<FixedThreadPool>(name),
            s.GetRequiredService<IOptionsMonitor<PoolOptions>>().Get(name),
            s.GetRequiredKeyedService<FixedThreadPoolOptions>(name).MaxQueueTime,
            s.GetRequiredKeyedService<FixedThreadPoolOptions>(name).MaxRunTime,
            registration,
            s.GetRequiredService<ResponseBudget>(),
            s.GetService<TimeProvider>() ?? TimeProvider.System));
        services.TryAddSingleton(s => new ResponseBudget(s.GetRequiredService<IOptionsMonitor<PoolOptions>>().Get(name).QueueBytes));
        services.TryAddSingleton(s => s.GetRequiredKeyedService<FixedThreadPool>(name));
        return new FixedThreadPoolBuilder(services, registration);
    }

    /// <summary>Reads the settings of the stop (<see cref="ShutdownOptions"/>) from this section instead of <c>PoolShutdown</c>.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="section">The section's path.</param>
    /// <param name="isShared">
    /// Whether the section also has keys of the app. If so, unknown keys are ignored. If not, an unknown key fails the start.
    /// </param>
    /// <returns>The app's services.</returns>
    public static IServiceCollection ConfigurePoolShutdown(this IServiceCollection services, string section, bool isShared = false)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(section);
        return services.Replace(ServiceDescriptor.Singleton(new ShutdownSection(new SettingsSection(section, isShared))));
    }

    private static PoolOptionsSetup Setup(IServiceProvider services, PoolRegistration registration) => new(
        services.GetRequiredService<IConfiguration>(), registration, services.GetServices<PoolRegistration>(),
        services.GetRequiredService<ShutdownSection>());

    /// <summary>Registers the services that all pools of an app share. A second call does nothing.</summary>
    internal static void AddCommon(IServiceCollection services)
    {
        if (services.Any(static s => s.ServiceType == typeof(PoolContexts))) return;

        services.AddSingleton<PoolContexts>();
        services.AddSingleton(static s => new ShutdownPools([.. s.GetRequiredService<PoolContexts>().All.Select(static pool => pool.Threads)]));
        services.AddSingleton<RequestGate>();
        services.AddSingleton<ShutdownLog>();
        services.AddSingleton<ShutdownCoordinator>();
        services.AddSingleton<IPoolLifetime>(static s => s.GetRequiredService<ShutdownCoordinator>());
        services.AddSingleton<IAppInstruments, AppInstruments>();
        services.AddSingleton<ReadinessLog>();
        services.AddHostedService<PoolHostedService>();
        services.AddSingleton<IStartupFilter, RequestTracking>();
        services.AddSingleton<AttributeEndpoints>();
        services.AddSingleton<MatcherPolicy, AttributeEndpointSelector>();
        services.AddSingleton<IApiDescriptionProvider, AttributeDescriptions>();

        services.TryAddSingleton(ShutdownSection.Default);
        services.AddSingleton<ShutdownOptionsSetup>();
        services.AddSingleton<IConfigureOptions<ShutdownOptions>>(static s => s.GetRequiredService<ShutdownOptionsSetup>());
        services.AddSingleton<IValidateOptions<ShutdownOptions>>(static s => s.GetRequiredService<ShutdownOptionsSetup>());
        services.AddOptions<ShutdownOptions>().ValidateOnStart();
        services.AddSingleton<HostTime>();
        services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<HostOptions>>(HostTime.Unset));
        services.AddOptions<HostOptions>().PostConfigure<HostTime>(static (host, time) => time.Give(host));

        services.AddProblemDetails();
        services.AddHealthChecks()
            .Add(new HealthCheckRegistration(
                PoolHealth.ShutdownCheck, static s => new ReadinessCheck(s.GetRequiredService<ShutdownCoordinator>()), HealthStatus.Unhealthy, [PoolHealth.ReadyTag]))
            .Add(new HealthCheckRegistration(
                "pool-workers", static s => new PoolsCheck(s.GetRequiredService<PoolContexts>(), s.GetRequiredService<ShutdownCoordinator>()),
                HealthStatus.Unhealthy, [PoolHealth.ReadyTag]))
            .Add(new HealthCheckRegistration(
                PoolHealth.StartupCheck, static s => new StartupCheck(s.GetRequiredService<ShutdownCoordinator>()), HealthStatus.Unhealthy, [PoolHealth.StartupTag]));
    }
}
