using System.Globalization;
using static PoolApi.Settings.FrameworkSetting;

namespace PoolApi.Settings;

/// <summary>Settings of OpenTelemetry: the environment variables of its specification.</summary>
internal static class OpenTelemetrySettings
{
    private const string Experimental = "it is experimental and may change its meaning";
    private const string BatchSize = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
    private const string QueueSize = "OTEL_BSP_MAX_QUEUE_SIZE";
    private const string LogBatchSize = "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE";
    private const string LogQueueSize = "OTEL_BLRP_MAX_QUEUE_SIZE";
    private const string Sampler = "OTEL_TRACES_SAMPLER";
    private const string SamplerArgument = "OTEL_TRACES_SAMPLER_ARG";

    private static readonly ValueRule Count = ValueRule.WholeNumber(0, int.MaxValue);
    private static readonly ValueRule Milliseconds = ValueRule.WholeNumber(1, int.MaxValue);
    private static readonly ValueRule Size = ValueRule.WholeNumber(1, 1_000_000);
    private static readonly ValueRule Protocol = ValueRule.OneOf("grpc", "http/protobuf");
    private static readonly ValueRule Compression = ValueRule.OneOf("none", "gzip");
    private static readonly string[] RatioSamplers = ["traceidratio", "parentbased_traceidratio"];

    // The names are written out, as people search for them.
    public static IReadOnlyList<FrameworkSetting> All { get; } =
    [
        Used("OTEL_SDK_DISABLED", "false", ValueRule.Boolean, "no telemetry at all: nothing is measured, traced or sent, and `/metrics` is empty"),
        Used("OTEL_SERVICE_NAME", "poolapi", ValueRule.Any, "the resource attribute service.name"),
        Used("OTEL_RESOURCE_ATTRIBUTES", "none", ValueRule.Attributes, "resource attributes; they win over the service's own, and OTEL_SERVICE_NAME wins over them"),
        Used("OTEL_TRACES_EXPORTER", "otlp, if there is an endpoint", ValueRule.ListOf("otlp"), "where traces go"),
        Used("OTEL_METRICS_EXPORTER", "prometheus, and otlp if there is an endpoint", ValueRule.ListOf("otlp", "prometheus"), "whether metrics are sent by OTLP; `/metrics` is there in any case"),
        Used("OTEL_LOGS_EXPORTER", "otlp, if there is an endpoint", ValueRule.ListOf("otlp"), "whether the log is sent by OTLP; it goes to standard output in any case"),
        Used("OTEL_EXPORTER_OTLP_ENDPOINT", "none; http://localhost:4317 or :4318 if an exporter is otlp", ValueRule.HttpUrl, "the collector. With http/protobuf, `/v1/traces`, `/v1/metrics` and `/v1/logs` are added to its path"),
        Used("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", ValueRule.HttpUrl, "the same for traces; with http/protobuf, used as it is"),
        Used("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", ValueRule.HttpUrl, "the same for metrics; with http/protobuf, used as it is"),
        Used("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", ValueRule.HttpUrl, "the same for the log; with http/protobuf, used as it is"),
        Used("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", Protocol, "what the collector speaks"),
        Used("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", Protocol, "the same for traces"),
        Used("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", Protocol, "the same for metrics"),
        Used("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", Protocol, "the same for the log"),
        Used("OTEL_EXPORTER_OTLP_HEADERS", "none", ValueRule.Headers, "headers of each export") with { IsSecret = true },
        Used("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", ValueRule.Headers, "the same for traces") with { IsSecret = true },
        Used("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", ValueRule.Headers, "the same for metrics") with { IsSecret = true },
        Used("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", ValueRule.Headers, "the same for the log") with { IsSecret = true },
        Used("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", Milliseconds, "milliseconds that one export may take"),
        Used("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", Milliseconds, "the same for traces"),
        Used("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", Milliseconds, "the same for metrics"),
        Used("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", Milliseconds, "the same for the log"),
        Used("OTEL_EXPORTER_OTLP_COMPRESSION", "none", Compression, "of each export"),
        Used("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION", Compression, "the same for traces"),
        Used("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION", Compression, "the same for metrics"),
        Used("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION", Compression, "the same for the log"),
        Used("OTEL_EXPORTER_OTLP_CERTIFICATE", "the machine's", ValueRule.File, "the certificates to trust the collector by, PEM"),
        Used("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "none", ValueRule.File, "the certificate to show to the collector, PEM"),
        Used("OTEL_EXPORTER_OTLP_CLIENT_KEY", "none", ValueRule.File, "its key, PEM"),
        Used("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative", ValueRule.OneOf("cumulative", "delta", "lowmemory"), "of the metrics by OTLP"),
        Used("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram", ValueRule.OneOf("explicit_bucket_histogram"), "the form of histograms, the same as in `/metrics`"),
        Used("OTEL_METRIC_EXPORT_INTERVAL", "60000", Milliseconds, "milliseconds between two exports of the metrics"),
        Used("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based", ValueRule.OneOf("always_on", "always_off", "trace_based"), "which measurements by OTLP keep the trace that made them"),
        Used(Sampler, "parentbased_always_on", ValueRule.OneOf(["always_on", "always_off", "parentbased_always_on", "parentbased_always_off", .. RatioSamplers]), "which requests are traced"),
        Used(SamplerArgument, "1", ValueRule.Number(0, 1), "the part of them, with the two samplers by ratio"),
        Used("OTEL_PROPAGATORS", "tracecontext,baggage", new("tracecontext,baggage", static text => text.Replace(" ", "", StringComparison.Ordinal) is "tracecontext,baggage" or "baggage,tracecontext"), "the headers that carry a trace"),
        Used("OTEL_BLRP_SCHEDULE_DELAY", "1000", Milliseconds, "milliseconds between two exports of the log"),
        Used(LogQueueSize, "2048", Size, "records of the log that may wait; more are dropped"),
        Used(LogBatchSize, "512", Size, "records of one export; at most OTEL_BLRP_MAX_QUEUE_SIZE"),
        Used("OTEL_BSP_SCHEDULE_DELAY", "5000", Milliseconds, "milliseconds between two exports of traces"),
        Used(QueueSize, "2048", Size, "spans that may wait; more are dropped"),
        Used(BatchSize, "512", Size, "spans of one export; at most OTEL_BSP_MAX_QUEUE_SIZE"),
        Used("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "no limit", Count, "characters of one attribute of a span, or of a record of the log"),
        Used("OTEL_ATTRIBUTE_COUNT_LIMIT", "128", Count, "attributes of one span, link or record of the log"),
        Used("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", Count, "characters of one attribute of a span"),
        Used("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", Count, "attributes of one span"),
        Refused("OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT limits an export"),
        Refused("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT limits an export"),
        Refused("OTEL_SPAN_LINK_COUNT_LIMIT", "a span of the service has one link at most"),
        Refused("OTEL_SPAN_EVENT_COUNT_LIMIT", "spans of the service have no events"),
        Refused("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "spans of the service have no events"),
        Refused("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "links of the service have no attributes"),
        Refused("OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT limits an export"),
        Refused("OTEL_LOGRECORD_*", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT and OTEL_ATTRIBUTE_COUNT_LIMIT hold for records of the log too"),
        Refused("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE is for all signals"),
        Refused("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE is for all signals"),
        Refused("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE is for all signals"),
        Refused("OTEL_EXPORTER_OTLP_TRACES_CLIENT_*", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _KEY are for all signals"),
        Refused("OTEL_EXPORTER_OTLP_METRICS_CLIENT_*", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _KEY are for all signals"),
        Refused("OTEL_EXPORTER_OTLP_LOGS_CLIENT_*", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _KEY are for all signals"),
        Refused("OTEL_EXPORTER_OTLP_INSECURE", "the scheme of the endpoint determines whether TLS is used"),
        Refused("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "the scheme of the endpoint determines whether TLS is used"),
        Refused("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "the scheme of the endpoint determines whether TLS is used"),
        Refused("OTEL_EXPORTER_OTLP_LOGS_INSECURE", "the scheme of the endpoint determines whether TLS is used"),
        Refused("OTEL_EXPORTER_PROMETHEUS_*", "Management:Urls sets where `/metrics` is"),
        Refused("OTEL_EXPORTER_ZIPKIN_*", "traces are sent by OTLP only"),
        Refused("OTEL_EXPORTER_JAEGER_*", "traces are sent by OTLP only"),
        Refused("OTEL_LOG_LEVEL", "the log reports when telemetry cannot be sent"),
        Refused("OTEL_CONFIG_FILE", "each setting has its own variable"),
        Refused("OTEL_EXPERIMENTAL_*", Experimental),
        Refused("OTEL_DOTNET_EXPERIMENTAL_*", Experimental),
        Refused("OTEL_DOTNET_SELF_DIAGNOSTICS_*", Experimental),
        Refused("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "the methods of RFC 9110 and PATCH are known, every other is _OTHER"),
        Refused("OTEL_SEMCONV_STABILITY_OPT_IN", "the stable conventions are used, and no others"),
        NotOurs("OTEL_DOTNET_AUTO_*", "the automatic instrumentation, another program, reads them"),
        NotOurs("OTEL_RESOURCE_ATTRIBUTES_*", "the Kubernetes operator makes OTEL_RESOURCE_ATTRIBUTES of them"),
    ];

    /// <summary>Adds a fault for each value that is valid by itself, but not together with another setting.</summary>
    public static void ValidateCombinations(IConfiguration configuration, List<string> faults)
    {
        foreach ((string ofBatch, string ofQueue) in ((string, string)[])[(BatchSize, QueueSize), (LogBatchSize, LogQueueSize)])
        {
            long queue = Number(configuration, ofQueue, 2048);
            long batch = Number(configuration, ofBatch, Math.Min(512, queue));
            if (batch > queue) faults.Add($"{ofBatch} is '{batch}'; it must be at most {ofQueue}, which is {queue}.");
        }
        if (FrameworkSettings.Value(configuration, SamplerArgument) is { } argument
            && !RatioSamplers.Contains(configuration[Sampler], StringComparer.OrdinalIgnoreCase))
        {
            faults.Add($"{SamplerArgument} is '{argument}'; it may be set only where {Sampler} is {string.Join(" or ", RatioSamplers)}.");
        }
        foreach (string signal in (string[])["TRACES", "METRICS", "LOGS"])
        {
            string exporter = $"OTEL_{signal}_EXPORTER";
            string endpoint = $"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT";
            if (FrameworkSettings.Value(configuration, exporter) is { } set && !set.Contains("otlp", StringComparison.OrdinalIgnoreCase)
                && FrameworkSettings.Value(configuration, endpoint) is not null)
            {
                faults.Add($"{endpoint} is set while {exporter} is '{set}'; it may be set only where that is otlp or not set.");
            }
        }
    }

    public static int Number(IConfiguration configuration, string key, long fallback) =>
        (int)(FrameworkSettings.Value(configuration, key) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : fallback);
}
