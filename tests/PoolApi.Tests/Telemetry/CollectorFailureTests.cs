using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Tests.Service;
using PoolApi.Tests.Settings;

namespace PoolApi.Tests.Telemetry;

/// <summary>The log reports a collector that does not accept telemetry: its first failure, with the reason, and its recovery.</summary>
[Collection(nameof(TelemetrySettingTests))]
public sealed class CollectorFailureTests
{
    private const string Fails = " does not accept metrics";
    private const string Works = " accepts metrics again";

    [Theory]
    [InlineData("http/protobuf", 503, "HTTP status 503")]
    [InlineData("grpc", 503, "HTTP status 503")]
    [InlineData("grpc", 14, "gRPC status 14 try later")]
    [InlineData("http/protobuf", FailingCollector.Silent, "no answer within 0.3 s")]
    [InlineData("grpc", FailingCollector.Silent, "no answer within 0.3 s")]
    public async Task A_collector_failure_is_logged_once_with_its_reason_and_so_is_the_recovery(string protocol, int fault, string reason)
    {
        await using FailingCollector collector = await FailingCollector.StartAsync(protocol, fault);
        await using RunningService service = Service(protocol, collector.Url, timeout: fault == FailingCollector.Silent ? 300 : 30_000);
        await collector.SeesAsync(exports: 4);
        collector.Fault = 0;
        string[] log = await SeesAsync(service, Works);

        // An export may fail again after the recovery: on a busy machine a response may take more than 0.3 s.
        int recovery = Array.FindIndex(log, static line => line.Contains(Works, StringComparison.Ordinal));
        string failure = Assert.Single(log[..recovery], static line => line.Contains(Fails, StringComparison.Ordinal));
        Assert.Contains($"The collector at {collector.Url}", failure, StringComparison.Ordinal);
        Assert.Contains(reason, failure, StringComparison.Ordinal);
        string[] reports = [.. log.Where(static line => line.Contains(Fails, StringComparison.Ordinal) || line.Contains(Works, StringComparison.Ordinal))];
        Assert.All(reports.Index(), static each => Assert.Contains(each.Index % 2 == 0 ? Fails : Works, each.Item, StringComparison.Ordinal));
        if (fault != FailingCollector.Silent) Assert.Single(log, static line => line.Contains(Works, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("traces")]
    [InlineData("metrics")]
    [InlineData("logs")]
    public async Task The_failure_and_the_recovery_of_each_signal_are_logged(string signal)
    {
        await using FailingCollector collector = await FailingCollector.StartAsync("http/protobuf", 503);
        await using RunningService service = RunningService.With(
            ($"OTEL_EXPORTER_OTLP_{signal.ToUpperInvariant()}_ENDPOINT", $"{collector.Url}/v1/{signal}"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"), ("OTEL_METRIC_EXPORT_INTERVAL", "50"), ("OTEL_BLRP_SCHEDULE_DELAY", "50"), ("Workloads:Diagnostics", "true"));
        ILogger lines = service.App.Services.GetRequiredService<ILoggerFactory>().CreateLogger("lines");

        await WaitForLineAsync($" does not accept {signal}");
        collector.Fault = 0;
        await WaitForLineAsync($" accepts {signal} again");

        Task WaitForLineAsync(string words) => Patience.UntilAsync(
            async () =>
            {
                // Each signal needs something to export.
                await service.TracedAsync("0af7651916cd43dd8448eb211c80319c");
                lines.Log(LogLevel.Warning, default, "A line", null, static (line, _) => line);
                return service.App.Log.Any(line => line.Contains(words, StringComparison.Ordinal));
            },
            $"'{words}' in the log");
    }

    [Theory]
    [InlineData("http/protobuf")]
    [InlineData("grpc")]
    public async Task A_refused_connection_to_the_collector_is_logged_and_reported_by_the_flush(string protocol)
    {
        // The port of a collector that has stopped.
        string gone;
        await using (FailingCollector collector = await FailingCollector.StartAsync(protocol, 0)) gone = collector.Url;
        await using RunningService service = Service(protocol, gone, timeout: 30_000);
        string[] log = await SeesAsync(service, Fails);
        Assert.Contains("Connection refused", log.First(static line => line.Contains(Fails, StringComparison.Ordinal)), StringComparison.Ordinal);

        var flush = service.App.Services.GetRequiredService<ITelemetryFlush>();
        Assert.False(await flush.FlushAsync(ServiceApp.Token));
        Assert.StartsWith($"metrics to {gone}", flush.Fault, StringComparison.Ordinal);
        Assert.Contains("Connection refused", flush.Fault, StringComparison.Ordinal);
    }

    private static RunningService Service(string protocol, string url, int timeout) => RunningService.With(
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", protocol == "grpc" ? url : url + "/v1/metrics"), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"), ("OTEL_EXPORTER_OTLP_TIMEOUT", $"{timeout}"));

    /// <summary>Returns the log once it contains these words.</summary>
    private static async Task<string[]> SeesAsync(RunningService service, string words)
    {
        string[] log = [];
        await Patience.UntilAsync(
            () =>
            {
                log = [.. service.App.Log];
                return Array.Exists(log, line => line.Contains(words, StringComparison.Ordinal));
            },
            $"'{words}' in the log");
        return log;
    }

    /// <summary>A collector that answers with a configured fault.</summary>
    private sealed class FailingCollector : IAsyncDisposable
    {
        public const int Silent = -1;

        private readonly WebApplication _app;
        private readonly SemaphoreSlim _exports = new(0);
        private readonly bool _isGrpc;

        private FailingCollector(WebApplication app, bool isGrpc) => (_app, _isGrpc) = (app, isGrpc);

        /// <summary>0: it accepts every export; 1 to 16: this gRPC status; from 100 on: this HTTP status; <see cref="Silent"/>: no answer.</summary>
        public int Fault { get; set; }

        public string Url => _app.Urls.Single();

        public static async Task<FailingCollector> StartAsync(string protocol, int fault)
        {
            bool isGrpc = protocol == "grpc";
            WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(
                IPAddress.Loopback, 0, listen => listen.Protocols = isGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1));
            WebApplication app = builder.Build();
            var collector = new FailingCollector(app, isGrpc) { Fault = fault };
            app.Run(collector.TakeAsync);
            await app.StartAsync(ServiceApp.Token);
            return collector;
        }

        public async Task SeesAsync(int exports)
        {
            for (int i = 0; i < exports; i++) Assert.True(await _exports.WaitAsync(Patience.Long, ServiceApp.Token), "no export");
        }

        public async ValueTask DisposeAsync()
        {
            await _app.StopAsync(new CancellationToken(canceled: true));
            await _app.DisposeAsync();
            _exports.Dispose();
        }

        private async Task TakeAsync(HttpContext context)
        {
            int fault = Fault;
            await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
            _exports.Release();
            if (fault == Silent)
            {
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return;
            }
            context.Response.ContentType = _isGrpc ? "application/grpc" : "application/x-protobuf";
            if (fault >= 100)
            {
                context.Response.StatusCode = fault;
            }
            else if (_isGrpc)
            {
                // An empty message, followed by the status.
                await context.Response.Body.WriteAsync(new byte[5], context.RequestAborted);
                context.Response.AppendTrailer("grpc-status", $"{fault}");
                context.Response.AppendTrailer("grpc-message", Uri.EscapeDataString("try later"));
            }
        }
    }
}
