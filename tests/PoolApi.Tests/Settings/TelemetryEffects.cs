using System.Net;
using System.Net.Sockets;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Tests.Service;
using Effect = System.Func<System.Threading.Tasks.Task>;

namespace PoolApi.Tests.Settings;

/// <summary>Shows the effect of each used setting of OpenTelemetry, mostly at a collector, after three requests and a flush.</summary>
internal static class TelemetryEffects
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string Protobuf = "http/protobuf";

    // The first bucket of the durations of requests ends at 5 ms. An exponential histogram has no such bound.
    private static readonly string FirstBound = string.Concat(BitConverter.GetBytes(0.005).Select(static b => (char)b));

    public static readonly Dictionary<string, Effect> All = new()
    {
        ["OTEL_SDK_DISABLED"] = async () =>
        {
            await using RunningService service = RunningService.With(("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"));
            Assert.Empty(service.App.Services.GetServices<ITelemetryFlush>());
            string metrics = await service.GetAsync("/metrics");
            Assert.StartsWith("HTTP/1.1 20", metrics, StringComparison.Ordinal);
            Assert.DoesNotContain("poolapi_", metrics, StringComparison.Ordinal);
        },
        ["OTEL_SERVICE_NAME"] = () => Target("service_name=\"thumbs-eu\"", ("OTEL_SERVICE_NAME", "thumbs-eu")),
        ["OTEL_RESOURCE_ATTRIBUTES"] = () => Target("service_instance_id=\"pod-7\"", ("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-7,a=b")),
        ["OTEL_TRACES_EXPORTER"] = () => Sent(NoTraces, ("OTEL_TRACES_EXPORTER", "none")),
        ["OTEL_METRICS_EXPORTER"] = () => Sent(
            static sent =>
            {
                Assert.Empty(sent.Metrics);
                Assert.NotEmpty(sent.Traces);
            },
            ("OTEL_METRICS_EXPORTER", "none")),
        ["OTEL_LOGS_EXPORTER"] = () => Sent(
            static sent =>
            {
                Assert.Empty(sent.Logs);
                Assert.NotEmpty(sent.Traces);
            },
            ("OTEL_LOGS_EXPORTER", "none")),
        ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] = () => Sent(
            static sent => Assert.Equal(["/l"], Paths(sent)),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "{collector}/l"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")),
        ["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"] = () => Sent(
            static sent => Assert.NotEmpty(sent.Logs),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", Protobuf), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "none")),
        ["OTEL_EXPORTER_OTLP_LOGS_HEADERS"] = () => Sent(
            static sent =>
            {
                Assert.NotEmpty(sent.Logs);
                Assert.All(sent.All, export => Assert.Equal(sent.Logs.Contains(export), export.Headers.GetValueOrDefault("x-a") == "b c"));
            },
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-a=b%20c")),
        ["OTEL_EXPORTER_OTLP_LOGS_COMPRESSION"] = () => Sent(
            static sent =>
            {
                Assert.NotEmpty(sent.Logs);
                Assert.All(sent.All, export => Assert.Equal(sent.Logs.Contains(export), export.Headers.GetValueOrDefault("Content-Encoding") == "gzip"));
            },
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip")),
        ["OTEL_EXPORTER_OTLP_LOGS_TIMEOUT"] = () => GivesUp(("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "100"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")),
        ["OTEL_BLRP_SCHEDULE_DELAY"] = () => Comes("/v1/logs", ("OTEL_BLRP_SCHEDULE_DELAY", "100")),
        // The start logs several lines. With a batch or a queue of one, each export has at most one of them.
        ["OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"] = () => Sent(
            static sent =>
            {
                Assert.True(sent.Logs.Count(static export => Records(export) == 1) >= 2);
                Assert.All(sent.Logs, static export => Assert.True(Records(export) <= 1));
            },
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "1")),
        ["OTEL_BLRP_MAX_QUEUE_SIZE"] = () => Sent(
            static sent =>
            {
                Assert.Contains(sent.Logs, static export => Records(export) == 1); // a record that finds the queue full is dropped
                Assert.All(sent.Logs, static export => Assert.True(Records(export) <= 1));
            },
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "1")),
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = () => Sent(
            static sent => Assert.Equal(["/base/v1/logs", "/base/v1/metrics", "/base/v1/traces"], Paths(sent)), ("OTEL_EXPORTER_OTLP_ENDPOINT", "{collector}/base/")),
        ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = () => Sent(
            static sent => Assert.Equal(["/t", "/v1/logs", "/v1/metrics"], Paths(sent)), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "{collector}/t")),
        ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = () => Sent(
            static sent => Assert.Equal(["/m"], Paths(sent)),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "{collector}/m"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")), // no common endpoint, so no traces and no logs
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = () => Sent(
            static sent =>
            {
                Assert.Equal(["/v1/logs", "/v1/metrics", "/v1/traces"], Paths(sent));
                Assert.All(sent.All, static export => Assert.Equal("application/x-protobuf", export.Headers["Content-Type"]));
            },
            ("OTEL_EXPORTER_OTLP_PROTOCOL", Protobuf)),
        ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = () => Sent(
            static sent => Assert.NotEmpty(sent.Traces),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", Protobuf), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")),
        ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"] = () => Sent(
            static sent => Assert.NotEmpty(sent.Metrics),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", Protobuf), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")),
        ["OTEL_EXPORTER_OTLP_HEADERS"] = () => Header("OTEL_EXPORTER_OTLP_HEADERS", traces: true, metrics: true),
        ["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = () => Header("OTEL_EXPORTER_OTLP_TRACES_HEADERS", traces: true, metrics: false),
        ["OTEL_EXPORTER_OTLP_METRICS_HEADERS"] = () => Header("OTEL_EXPORTER_OTLP_METRICS_HEADERS", traces: false, metrics: true),
        ["OTEL_EXPORTER_OTLP_COMPRESSION"] = () => Compressed("OTEL_EXPORTER_OTLP_COMPRESSION", traces: true, metrics: true),
        ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"] = () => Compressed("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", traces: true, metrics: false),
        ["OTEL_EXPORTER_OTLP_METRICS_COMPRESSION"] = () => Compressed("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", traces: false, metrics: true),
        ["OTEL_EXPORTER_OTLP_TIMEOUT"] = () => GivesUp(("OTEL_EXPORTER_OTLP_TIMEOUT", "100")),
        ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"] = () => GivesUp(("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "100"), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")),
        ["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"] = () => GivesUp(("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "100"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")),
        ["OTEL_EXPORTER_OTLP_CERTIFICATE"] = SentByTls,
        ["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] = SentByTls,
        ["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = SentByTls,
        // The fields of a sum: whether it is monotonic (field 3), and its temporality (field 2; delta is 1, cumulative 2).
        ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = () => Sent(
            static sent =>
            {
                Assert.Contains(sent.Metrics, static export => IsMonotonic(export, temporality: 1));
                Assert.DoesNotContain(sent.Metrics, static export => IsMonotonic(export, temporality: 2));
            },
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")),
        ["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"] = () => Sent(
            static sent => Assert.Contains(sent.Metrics, static export =>
                export.Body.Contains("http.server.request.duration", StringComparison.Ordinal) && export.Body.Contains(FirstBound, StringComparison.Ordinal)),
            ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram")),
        ["OTEL_METRIC_EXPORT_INTERVAL"] = () => Comes("/v1/metrics", ("OTEL_METRIC_EXPORT_INTERVAL", "100")),
        ["OTEL_BSP_SCHEDULE_DELAY"] = () => Comes("/v1/traces", ("OTEL_BSP_SCHEDULE_DELAY", "100")),
        ["OTEL_METRICS_EXEMPLAR_FILTER"] = async () =>
        {
            await Sent(
                static sent =>
                {
                    Assert.NotEmpty(sent.Metrics);
                    Assert.DoesNotContain(sent.Metrics, HasTrace);
                },
                ("OTEL_METRICS_EXEMPLAR_FILTER", "always_off"));
            await Sent(static sent => Assert.Contains(sent.Metrics, HasTrace)); // trace_based
        },
        ["OTEL_TRACES_SAMPLER"] = () => Sent(NoTraces, ("OTEL_TRACES_SAMPLER", "always_off")),
        ["OTEL_TRACES_SAMPLER_ARG"] = () => Sent(NoTraces, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")),
        ["OTEL_PROPAGATORS"] = () => Sent(
            static sent => Assert.Contains(sent.Traces, HasTrace),
            ("OTEL_PROPAGATORS", "tracecontext,baggage")),
        // Three requests. With a batch or a queue of one, each export has the span of at most one of them.
        ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] = () => Sent(static sent => Assert.True(sent.Traces.Count() >= 3), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")),
        ["OTEL_BSP_MAX_QUEUE_SIZE"] = () => Sent(
            static sent =>
            {
                Assert.NotEmpty(sent.Traces); // a span that finds the queue full is dropped
                Assert.All(sent.Traces, static export => Assert.True(Spans(export) <= 1));
            },
            ("OTEL_BSP_MAX_QUEUE_SIZE", "1")),
        ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"] = () => Cut("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"] = () => Cut("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        ["OTEL_ATTRIBUTE_COUNT_LIMIT"] = () => Fewer("OTEL_ATTRIBUTE_COUNT_LIMIT"),
        ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"] = () => Fewer("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
    };

    private static readonly string[] EnvironmentOnly =
    [
        "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    ];

    private static async Task Target(string label, params (string, string)[] settings)
    {
        await using RunningService service = RunningService.With(settings);
        Assert.Contains(label, await service.GetAsync("/metrics"), StringComparison.Ordinal);
    }

    private static async Task Sent(Action<Collector> check, params (string Key, string Value)[] settings)
    {
        await using Collector collector = await Collector.StartAsync();
        await SendAsync(collector, settings);
        check(collector);
    }

    private static async Task SendAsync(Collector collector, (string Key, string Value)[] settings)
    {
        try
        {
            await using RunningService service = RunningService.With(
                [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Url), ("OTEL_EXPORTER_OTLP_PROTOCOL", Protobuf),
                .. settings.Select(setting => (setting.Key, setting.Value.Replace("{collector}", collector.Url, StringComparison.Ordinal)))]);
            for (int i = 0; i < 3; i++) await service.TracedAsync(TraceId);
            Assert.True(await service.App.Services.GetRequiredService<ITelemetryFlush>().FlushAsync(ServiceApp.Token));
        }
        finally
        {
            // The service passes these settings to the exporters in the environment of its process, which is the test process here.
            foreach (string key in EnvironmentOnly) Environment.SetEnvironmentVariable(key, null);
        }
    }

    private static Task Header(string key, bool traces, bool metrics) => Sent(
        sent =>
        {
            Assert.All(sent.Traces, export => Assert.Equal(traces, export.Headers.GetValueOrDefault("x-a") == "b c"));
            Assert.All(sent.Metrics, export => Assert.Equal(metrics, export.Headers.GetValueOrDefault("x-a") == "b c"));
            Assert.NotEmpty(sent.Traces);
            Assert.NotEmpty(sent.Metrics);
        },
        (key, "x-a=b%20c"));

    private static Task Compressed(string key, bool traces, bool metrics) => Sent(
        sent =>
        {
            Assert.All(sent.Traces, export => Assert.Equal(traces, export.Headers.GetValueOrDefault("Content-Encoding") == "gzip"));
            Assert.All(sent.Metrics, export => Assert.Equal(metrics, export.Headers.GetValueOrDefault("Content-Encoding") == "gzip"));
            Assert.NotEmpty(sent.Traces);
            Assert.NotEmpty(sent.Metrics);
        },
        (key, "gzip"));

    private static async Task SentByTls()
    {
        using var certificate = new TlsCertificate("127.0.0.1");
        await using Collector collector = await Collector.StartAsync(certificate.Value);
        await SendAsync(
            collector,
            [
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate.CertificateFile), ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate.CertificateFile),
                ("OTEL_EXPORTER_OTLP_CLIENT_KEY", certificate.KeyFile),
            ]);
        Assert.NotEmpty(collector.Traces);
    }

    /// <summary>The collector accepts the connection and never answers. The export fails by its own timeout, before the deadline of the flush.</summary>
    private static async Task GivesUp(params (string, string)[] settings)
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using RunningService service = RunningService.With(
            [("OTEL_EXPORTER_OTLP_ENDPOINT", $"http://{silent.LocalEndpoint}"), ("OTEL_EXPORTER_OTLP_PROTOCOL", Protobuf), .. settings]);
        await service.TracedAsync(TraceId);
        // The default timeout of an export is 10 s.
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(9.5));
        Assert.False(await service.App.Services.GetRequiredService<ITelemetryFlush>().FlushAsync(deadline.Token));
    }

    /// <summary>The service exports without a flush: 30 times within two minutes. With the default intervals of 5 s and 60 s that takes longer.</summary>
    private static async Task Comes(string path, (string, string) setting)
    {
        await using Collector collector = await Collector.StartAsync();
        await using RunningService service = RunningService.With(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Url), ("OTEL_EXPORTER_OTLP_PROTOCOL", Protobuf), setting);
        using var over = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (collector.All.Count(export => export.Path == path) < 30)
        {
            Assert.False(over.IsCancellationRequested, $"{collector.All.Count(export => export.Path == path)} exports within two minutes");
            await service.TracedAsync(TraceId);
            await Task.Delay(250, ServiceApp.Token); // more requests would fill a batch, which is exported before its interval ends
        }
    }

    /// <summary>None of the test's requests has a span. A request of another test may have one: the service of the test before this one recorded its
    /// start, and every service of the process exports it when it ends.</summary>
    private static void NoTraces(Collector sent)
    {
        Assert.DoesNotContain(sent.Traces, HasTrace);
        Assert.NotEmpty(sent.Metrics);
    }

    private static Task Cut(string key) => Sent(
        static sent =>
        {
            Assert.Contains(sent.Traces, static export => export.Body.Contains("127.0.0", StringComparison.Ordinal));
            Assert.All(sent.Traces, static export => Assert.DoesNotContain("127.0.0.1", export.Body, StringComparison.Ordinal));
        },
        (key, "7"));

    private static Task Fewer(string key) => Sent(
        static sent =>
        {
            Assert.NotEmpty(sent.Traces);
            Assert.All(sent.Traces, static export => Assert.DoesNotContain("http.response.status_code", export.Body, StringComparison.Ordinal));
        },
        (key, "1"));

    private static bool HasTrace(Collector.Export export) => export.Body.Contains(Bytes(TraceId), StringComparison.Ordinal);

    private static bool IsMonotonic(Collector.Export export, int temporality) =>
        export.Body.Contains($"\u0018\u0001\u0010{(char)temporality}", StringComparison.Ordinal)
        || export.Body.Contains($"\u0010{(char)temporality}\u0018\u0001", StringComparison.Ordinal);

    private static string[] Paths(Collector sent) => [.. sent.All.Select(static export => export.Path).Distinct().Order(StringComparer.Ordinal)];

    private static int Spans(Collector.Export export) => export.Body.Split("http.response.status_code").Length - 1;

    /// <summary>Counts the log records of an export: each has the name of its severity (field 3).</summary>
    private static int Records(Collector.Export export) =>
        Enumerable.Sum((string[])["Trace", "Debug", "Information", "Warning", "Error", "Critical"], level => export.Body.Split($"\u001A{(char)level.Length}{level}").Length - 1);

    private static string Bytes(string hex) => string.Concat(Convert.FromHexString(hex).Select(static b => (char)b));
}
