using System.Globalization;
using OpenTelemetry.Exporter;
using PoolApi.Settings;

namespace PoolApi.Telemetry;

/// <summary>The OTLP endpoint of one signal: from its own setting, or from the one for all signals. The SDK's exporters read the latter only.</summary>
internal sealed class OtlpSettings(IConfiguration configuration, string signal)
{
    public static OtlpSettings Traces(IConfiguration configuration) => new(configuration, "TRACES");

    public static OtlpSettings Metrics(IConfiguration configuration) => new(configuration, "METRICS");

    public static OtlpSettings Logs(IConfiguration configuration) => new(configuration, "LOGS");

    /// <summary>Whether the signal is sent: its exporter is otlp, or none is named and there is an endpoint.</summary>
    public bool IsEnabled => FrameworkSettings.Value(configuration, $"OTEL_{signal}_EXPORTER") is { } exporters
        ? exporters.Split(',', StringSplitOptions.TrimEntries).Contains("otlp", StringComparer.OrdinalIgnoreCase)
        : Value("ENDPOINT") is not null;

    public OtlpExporterOptions Options()
    {
        // The constructor reads the certificates from the environment. The other options are set here.
        var options = new OtlpExporterOptions
        {
            Protocol = "http/protobuf".Equals(Value("PROTOCOL"), StringComparison.OrdinalIgnoreCase) ? OtlpExportProtocol.HttpProtobuf : Grpc,
            Headers = Value("HEADERS"),
            TimeoutMilliseconds = Value("TIMEOUT") is { } time ? int.Parse(time, CultureInfo.InvariantCulture) : 10_000,
            Compression = "gzip".Equals(Value("COMPRESSION"), StringComparison.OrdinalIgnoreCase) ? OtlpExportCompression.GZip : OtlpExportCompression.None,
        };
        options.Endpoint = Endpoint(options.Protocol);
        return options;
    }

#pragma warning disable CS0618 // gRPC is deprecated in this exporter, and the default of the specification's older versions, which is kept
    private static OtlpExportProtocol Grpc => OtlpExportProtocol.Grpc;
#pragma warning restore CS0618

    private Uri Endpoint(OtlpExportProtocol protocol)
    {
        if (FrameworkSettings.Value(configuration, $"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") is { } own) return new Uri(own);
        bool http = protocol == OtlpExportProtocol.HttpProtobuf;
        string common = FrameworkSettings.Value(configuration, "OTEL_EXPORTER_OTLP_ENDPOINT") ?? (http ? "http://localhost:4318" : "http://localhost:4317");
        return new Uri(http ? $"{common.TrimEnd('/')}/v1/{signal.ToLowerInvariant()}" : common);
    }

    private string? Value(string name) =>
        FrameworkSettings.Value(configuration, $"OTEL_EXPORTER_OTLP_{signal}_{name}") ?? FrameworkSettings.Value(configuration, $"OTEL_EXPORTER_OTLP_{name}");
}
