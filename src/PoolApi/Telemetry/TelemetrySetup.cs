using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Settings;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Settings;
using PoolApi.Threading;

namespace PoolApi.Telemetry;

/// <summary>Metrics for Prometheus, and metrics, traces and the log by OTLP where <see cref="OtlpSettings"/> say so.</summary>
internal static class TelemetrySetup
{
    private const string Temporality = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

    // The driver has no constant for it.
    private const string NpgsqlMeter = "Npgsql";

    // This gauge gets another name here: promtool takes a name that ends in count for a part of a histogram.
    private const string ConnectionCount = "db.client.connection.count";

    // What the exporters read from the environment only, when they are made.
    private static readonly string[] EnvironmentOnly =
    [
        "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    ];

    // promtool check metrics refuses these gauges, because a name that ends in count is for histograms and summaries.
    private static readonly string[] Refused = ["dotnet.assembly.count", "dotnet.timer.count", "dotnet.process.cpu.count"];

    // At the start the SDK reserves memory for the most series of each instrument: 8 MB with its default of 2000. So the limit is what the tags need.
    // Metrics of kinds of work and their outcomes, and of the store's operations and their errors.
    private const int ManySeries = 400;

    // Metrics of Kestrel, ASP.NET Core and the runtime: listeners, protocols, errors, types of exceptions.
    private const int SomeSeries = 128;

    // Metrics with no tags, or with one that has a handful of values.
    private const int FewSeries = 32;

    private static readonly string[] OfFewSeries =
        ["dotnet.gc.", "dotnet.jit.", "dotnet.monitor.", "dotnet.process.", "dotnet.thread_pool.", "dotnet.timer.", "dotnet.assembly.",
            "db.client.", "poolapi.queue.", "poolapi.pool.", "poolapi.budget.", "poolapi.start.", "poolapi.shutdown.", "poolapi.log.",
            "poolapi.telemetry.", "poolapi.snapshot.", "poolapi.work.accepted", "poolapi.work.rejected", "poolapi.worker.replaced", "poolapi.jobs", "poolapi.job.poisoned"];

    /// <param name="services">The services.</param>
    /// <param name="configuration">The settings.</param>
    /// <param name="postgres">Whether PostgreSQL keeps the jobs: then its driver is measured too.</param>
    public static void AddTelemetry(this IServiceCollection services, IConfiguration configuration, bool postgres)
    {
        OpenTelemetryBuilder telemetry = services.AddOpenTelemetry()
            // The detector comes last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
            .ConfigureResource(static resource => resource.AddService("poolapi", serviceVersion: ThisAssemblyVersion).AddEnvironmentVariableDetector())
            .WithMetrics(metrics =>
            {
                // The default of the specification. The SDK has another one.
                if (FrameworkSettings.Value(configuration, "OTEL_METRICS_EXEMPLAR_FILTER") is null) metrics.SetExemplarFilter(ExemplarFilterType.TraceBased);
                metrics
                    .AddMeter(FixedThreadPool.MeterName)
                    .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel")
                    .AddRuntimeInstrumentation()
                    .AddPrometheusExporter(static prometheus =>
                    {
                        prometheus.ScopeInfoEnabled = false;
                        prometheus.ScrapeResponseCacheDurationMilliseconds = 0;
                    });
                if (postgres) metrics.AddMeter(NpgsqlMeter);
            });
        services.ConfigureOpenTelemetryMeterProvider((provider, metrics) => AddView(metrics, provider.GetRequiredService<IMeterFactory>(), configuration));

        bool isDisabled = bool.TryParse(configuration["OTEL_SDK_DISABLED"], out bool disabled) && disabled;
        if (!isDisabled && (OtlpSettings.Traces(configuration).IsEnabled || OtlpSettings.Metrics(configuration).IsEnabled || OtlpSettings.Logs(configuration).IsEnabled))
            AddOtlp(telemetry, configuration);
    }

    /// <summary>Chooses the name and the most series of each instrument, and drops those that are not exported.</summary>
    /// <remarks>
    /// OpenTelemetry listens to meters by name, and takes equal instruments of two hosts in one process for one, in which the values of the last
    /// one win. The meters of another host have its factory as their scope.
    /// </remarks>
    private static void AddView(MeterProviderBuilder metrics, IMeterFactory own, IConfiguration configuration) => metrics.AddView(instrument =>
        Refused.Contains(instrument.Name) || (instrument.Meter.Scope is IMeterFactory factory && factory != own) ? MetricStreamConfiguration.Drop
        // Its tags are the route, the method and the status, so it keeps the SDK's default limit.
        : instrument.Name == "http.server.request.duration" ? null
        : instrument.Name == ConnectionCount ? new MetricStreamConfiguration { Name = "db.client.connections", CardinalityLimit = FewSeries }
        : new MetricStreamConfiguration { CardinalityLimit = SeriesOf(instrument.Name, configuration) });

    /// <summary>The most series of an instrument. A worker, or a stand-in for one, has a series of its own, and one for each of its states.</summary>
    private static int SeriesOf(string instrument, IConfiguration configuration) => instrument switch
    {
        "poolapi.worker.state" => Workers(configuration) * Enum.GetValues<WorkerState>().Length,
        "poolapi.worker.busy.time" or "poolapi.worker.work" => Workers(configuration),
        "kestrel.connection.duration" => ManySeries, // addresses, ports, protocols and some forty errors
        _ when OfFewSeries.Any(prefix => instrument.StartsWith(prefix, StringComparison.Ordinal)) => FewSeries,
        _ => instrument.StartsWith("poolapi.", StringComparison.Ordinal) ? ManySeries : SomeSeries,
    };

    /// <summary>The most workers, with as many stand-ins as there may be. A malformed setting ends the start elsewhere.</summary>
    private static int Workers(IConfiguration configuration)
    {
        int workers = configuration["Pool:Workers"] is { } text && PoolSettings.Workers.Parse(text) is { } set ? (int)set : new PoolOptions().Workers;
        return workers + Math.Min(workers, 64);
    }

    /// <summary>As the exporter's own AddOtlpExporter would, but with exporters that record the results of their exports.</summary>
    private static void AddOtlp(OpenTelemetryBuilder telemetry, IConfiguration configuration)
    {
        // The settings may come from the command line or a file as well.
        foreach (string key in EnvironmentOnly)
        {
            if (FrameworkSettings.Value(configuration, key) is { } value) Environment.SetEnvironmentVariable(key, value);
        }
        OtlpSettings traceSettings = OtlpSettings.Traces(configuration);
        OtlpSettings metricSettings = OtlpSettings.Metrics(configuration);
        OtlpSettings logSettings = OtlpSettings.Logs(configuration);
        // Both exporters are registered, even if only one signal is exported: the flush at the end uses both.
        telemetry.Services.AddSingleton(services =>
        {
            OtlpExporterOptions options = traceSettings.Options();
            return new RecordedTraceExporter(options, Record(services, "traces", options, traceSettings.IsEnabled));
        });
        telemetry.Services.AddSingleton(services =>
        {
            OtlpExporterOptions options = metricSettings.Options();
            return new RecordedMetricExporter(options, Record(services, "metrics", options, metricSettings.IsEnabled));
        });
        telemetry.Services.AddSingleton<ITelemetryFlush, OtlpFlush>();
        telemetry.WithTracing();
        if (metricSettings.IsEnabled)
        {
            telemetry.WithMetrics(metrics => metrics.AddReader(services => new PeriodicExportingMetricReader(
                services.GetRequiredService<RecordedMetricExporter>(),
                Number("OTEL_METRIC_EXPORT_INTERVAL", 60_000))
            {
                TemporalityPreference = configuration[Temporality]?.ToUpperInvariant() switch
                {
                    "DELTA" => MetricReaderTemporalityPreference.Delta,
                    "LOWMEMORY" => MetricReaderTemporalityPreference.LowMemory,
                    _ => MetricReaderTemporalityPreference.Cumulative,
                },
            }));
        }
        if (traceSettings.IsEnabled)
        {
            int queue = Number("OTEL_BSP_MAX_QUEUE_SIZE", 2048);
            telemetry.WithTracing(traces => traces.AddAspNetCoreInstrumentation().AddSource(PoolTelemetry.ActivitySourceName, JobTelemetry.ActivitySourceName).AddProcessor(
                services => new BatchActivityExportProcessor(
                    services.GetRequiredService<RecordedTraceExporter>(),
                    queue,
                    Number("OTEL_BSP_SCHEDULE_DELAY", 5000),
                    maxExportBatchSize: Number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Math.Min(512, queue)))));
        }

        if (logSettings.IsEnabled)
        {
            telemetry.Services.AddSingleton(services =>
            {
                OtlpExporterOptions options = logSettings.Options();
                return new RecordedLogExport(options, Record(services, "logs", options, isEnabled: true, byRequest: true));
            });
            int queue = Number("OTEL_BLRP_MAX_QUEUE_SIZE", 2048);
            telemetry.WithLogging(
                logs => logs.AddProcessor(services => new BatchLogRecordExportProcessor(
                    services.GetRequiredService<RecordedLogExport>().Exporter,
                    queue,
                    Number("OTEL_BLRP_SCHEDULE_DELAY", 1000),
                    maxExportBatchSize: Number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", Math.Min(512, queue)))),
                // The body is the line as people read it, and the attributes are what it was made of.
                static logs => logs.IncludeFormattedMessage = true);
        }

        int Number(string key, int fallback) => OpenTelemetrySettings.Number(configuration, key, fallback);
    }

    private static ExportRecord Record(IServiceProvider services, string signal, OtlpExporterOptions options, bool isEnabled, bool byRequest = false)
    {
        var record = new ExportRecord(signal, options, services.GetRequiredService<ILogger<ExportRecord>>, byRequest);
        if (isEnabled) record.Measure(services.GetRequiredService<IMeterFactory>());
        return record;
    }

    private static string? ThisAssemblyVersion => typeof(TelemetrySetup).Assembly.GetName().Version?.ToString(3);
}
