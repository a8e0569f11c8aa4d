using Microsoft.Extensions.DependencyInjection.Extensions;
using PoolApi.AspNetCore.Shutdown;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the process policy: signals, exit codes and the watchdog.</summary>
public static class ProcessLifetimeServices
{
    /// <summary>
    /// Gives the library control of the process's end. SIGTERM, SIGINT, SIGQUIT and SIGHUP begin the stop, and a second signal ends the process
    /// at once. The exit code reports the result of the stop. A watchdog ends the process with exit code 70 if the stop takes too long.
    /// </summary>
    /// <remarks>
    /// <para>Without this call the pools drain and join when the host stops, and the host and the app handle signals and exit codes.</para>
    /// <para>Exit codes: 0 clean; 3 work was left unfinished; 4 a thread could not be joined; 5 telemetry could not be sent; 70 the watchdog;
    /// 128 + n a second signal with the number n. If the stop is clean, an exit code that the app has set is kept.</para>
    /// </remarks>
    /// <param name="services">The app's services.</param>
    /// <returns>The app's services.</returns>
    public static IServiceCollection AddPoolProcessLifetime(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        FixedThreadPoolServices.AddCommon(services);
        services.TryAddSingleton<ProcessLifetime>();
        return services;
    }
}
