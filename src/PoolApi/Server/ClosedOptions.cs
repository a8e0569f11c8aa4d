using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Validation;
using OpenTelemetry.Exporter;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Jobs.AspNetCore;

namespace PoolApi.Server;

/// <summary>
/// Registers the options that a start reads by their closed types. Native AOT compiles a closed type that the program names. Each of the others is
/// built when the service provider first needs it, which takes some 0.3 ms of the start.
/// </summary>
/// <remarks>
/// The classes are those of <c>AddOptions</c>, except that <see cref="OptionsManager{T}"/> takes the place of an internal class: it looks its one value
/// up in a dictionary. Do not add options whose library registers a factory or a monitor of its own, as OpenTelemetry does for its exporters: the
/// first registration counts.
/// </remarks>
internal static class ClosedOptions
{
    public static void AddClosedOptions(this IServiceCollection services)
    {
        Add<ConsoleFormatterOptions>(services);
        Add<ConsoleLifetimeOptions>(services);
        Add<ConsoleLoggerOptions>(services);
        Add<ExceptionHandlerOptions>(services);
        Add<FormOptions>(services);
        Add<HealthCheckPublisherOptions>(services);
        Add<HealthCheckServiceOptions>(services);
        Add<HostFilteringOptions>(services);
        Add<HostOptions>(services);
        Add<JobsOptions>(services);
        Add<JsonConsoleFormatterOptions>(services);
        Add<JsonOptions>(services);
        Add<KestrelServerOptions>(services);
        Add<LoggerFactoryOptions>(services);
        Add<LoggerFilterOptions>(services);
        Add<MetricsOptions>(services);
        Add<OpenApiOptions>(services);
        Add<PoolOptions>(services);
        Add<ProblemDetailsOptions>(services);
        Add<PrometheusAspNetCoreOptions>(services);
        Add<RouteHandlerOptions>(services);
        Add<RouteOptions>(services);
        Add<ShutdownOptions>(services);
        Add<SimpleConsoleFormatterOptions>(services);
        Add<SocketTransportOptions>(services);
        Add<StatusCodePagesOptions>(services);
        Add<ValidationOptions>(services);
    }

    private static void Add<T>(IServiceCollection services)
        where T : class, new()
    {
        services.TryAddSingleton<IOptions<T>, OptionsManager<T>>();
        services.TryAddSingleton<IOptionsMonitor<T>, OptionsMonitor<T>>();
        services.TryAddSingleton<IOptionsMonitorCache<T>, OptionsCache<T>>();
        services.TryAddTransient<IOptionsFactory<T>, OptionsFactory<T>>();
    }
}
