using Microsoft.Extensions.DependencyInjection.Extensions;
using PoolApi.AspNetCore.Shutdown;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Leaves the end of the process to its pools.</summary>
public static class ProcessLifetimeServices
{
    /// <summary>
    /// The process belongs to the app's pools. SIGTERM, SIGINT, SIGQUIT and SIGHUP begin the stop, and a second signal ends the process at
    /// once. The exit code says how the stop went. A watchdog ends the process, with exit code 70, if the stop takes too long.
    /// </summary>
    /// <remarks>
    /// <para>Without this call the pools drain and join when the host stops, and signals and exit codes stay the host's and the app's.</para>
    /// <para>Exit codes: 0 clean; 3 work was left unfinished; 4 a thread could not be joined; 5 telemetry could not be sent; 70 the watchdog;
    /// 128 + n a second signal with the number n. A code that the app has set itself is kept in place of 0.</para>
    /// </remarks>
    /// <param name="services">The app's services.</param>
    public static IServiceCollection AddPoolProcessLifetime(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        FixedThreadPoolServices.AddCommon(services);
        services.TryAddSingleton<ProcessLifetime>();
        return services;
    }
}
