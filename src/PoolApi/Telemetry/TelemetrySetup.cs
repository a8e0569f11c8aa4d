using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using PoolApi.Threading;

namespace PoolApi.Telemetry;

/// <summary>Metrics for Prometheus, and metrics and traces by OTLP when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says where to.</summary>
internal static class TelemetrySetup
{
    // Names that promtool check metrics refuses: counters by their unit, but gauges by their type.
    private static readonly string[] Refused = ["dotnet.assembly.count", "dotnet.timer.count", "dotnet.process.cpu.count"];

    public static void AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        OpenTelemetryBuilder telemetry = services.AddOpenTelemetry()
            .ConfigureResource(static resource => resource.AddService("poolapi", serviceVersion: ThisAssemblyVersion))
            .WithMetrics(static metrics =>
            {
                metrics
                    .AddMeter(FixedThreadPool.MeterName)
                    .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel")
                    .AddRuntimeInstrumentation()
                    .AddPrometheusExporter(static prometheus =>
                    {
                        prometheus.ScopeInfoEnabled = false;
                        prometheus.ScrapeResponseCacheDurationMilliseconds = 0;
                    });
                foreach (string name in Refused) metrics.AddView(name, MetricStreamConfiguration.Drop);
            });

        if (string.IsNullOrWhiteSpace(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"])) return;
        telemetry
            .WithMetrics(static metrics => metrics.AddOtlpExporter())
            .WithTracing(static traces => traces.AddAspNetCoreInstrumentation().AddOtlpExporter());
    }

    private static string? ThisAssemblyVersion => typeof(TelemetrySetup).Assembly.GetName().Version?.ToString(3);
}
