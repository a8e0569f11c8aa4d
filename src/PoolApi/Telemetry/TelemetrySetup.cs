using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.JobService;
using PoolApi.Threading;

namespace PoolApi.Telemetry;

/// <summary>Metrics for Prometheus, and metrics and traces by OTLP when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says where to.</summary>
internal static class TelemetrySetup
{
    private const string Prefix = "OTEL_";
    private const string Temporality = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

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

        if (!string.IsNullOrWhiteSpace(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"])) AddOtlp(telemetry, configuration);
    }

    /// <summary>As the exporter's own AddOtlpExporter would, but with exporters that tell what became of their exports.</summary>
    private static void AddOtlp(OpenTelemetryBuilder telemetry, IConfiguration configuration)
    {
        // These options read the environment only; the settings may come from the command line or a file as well.
        foreach ((string key, string? value) in configuration.AsEnumerable())
        {
            if (key.StartsWith(Prefix, StringComparison.Ordinal)) Environment.SetEnvironmentVariable(key, value);
        }
        telemetry.Services.AddSingleton(static _ => new RecordedTraceExporter(new OtlpExporterOptions()));
        telemetry.Services.AddSingleton(static _ => new RecordedMetricExporter(new OtlpExporterOptions()));
        telemetry.Services.AddSingleton<ITelemetryFlush, OtlpFlush>();
        telemetry
            .WithMetrics(static metrics => metrics.AddReader(static services =>
            {
                var options = new PeriodicExportingMetricReaderOptions();
                return new PeriodicExportingMetricReader(
                    services.GetRequiredService<RecordedMetricExporter>(),
                    options.ExportIntervalMilliseconds ?? 60_000,
                    options.ExportTimeoutMilliseconds ?? 30_000)
                {
                    TemporalityPreference = Environment.GetEnvironmentVariable(Temporality)?.ToUpperInvariant() switch
                    {
                        "DELTA" => MetricReaderTemporalityPreference.Delta,
                        "LOWMEMORY" => MetricReaderTemporalityPreference.LowMemory,
                        _ => MetricReaderTemporalityPreference.Cumulative,
                    },
                };
            }))
            .WithTracing(static traces => traces.AddAspNetCoreInstrumentation().AddSource(StoredRequestRunner.ActivitySourceName).AddProcessor(static services =>
            {
                var options = new BatchExportActivityProcessorOptions();
                return new BatchActivityExportProcessor(
                    services.GetRequiredService<RecordedTraceExporter>(),
                    options.MaxQueueSize,
                    options.ScheduledDelayMilliseconds,
                    options.ExporterTimeoutMilliseconds,
                    options.MaxExportBatchSize);
            }));
    }

    private static string? ThisAssemblyVersion => typeof(TelemetrySetup).Assembly.GetName().Version?.ToString(3);
}
