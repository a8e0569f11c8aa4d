using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>A stop sends the last telemetry. A collector that does not accept it delays the stop by 2 s at most, and the log reports it.</summary>
public sealed class TelemetryStopTests
{
    [Fact]
    public async Task The_last_span_arrives()
    {
        using var collector = new OtlpSink();
        int runs = LongTests.Wanted ? 20 : 8;
        for (int i = 0; i < runs; i++)
            await MachineLoad.TryAgainAsync(SendsItAsync, "the collector, which is in this process, did not take the last export within two seconds");

        async Task<bool> SendsItAsync()
        {
            await using var service = await StartAsync(collector.Url, "http/protobuf");
            string path = $"/last-{Guid.NewGuid():N}";
            (await service.Api.GetAsync(path)).MustBe(404);

            var summary = await service.StopAsync();

            if (summary.Exit == 5)
                return false;
            Assert.Equal(0, summary.Exit);
            Assert.True(collector.HasSpan(path), "the span of the last request did not arrive");
            return true;
        }
    }

    [Fact]
    public async Task A_collector_that_refuses_connections_sets_the_exit_code_to_5()
    {
        await using var service = await StartAsync($"http://127.0.0.1:{FreePorts.Next()}", "http/protobuf");

        await MustExitWith5Async(service, "Connection refused");
    }

    [Theory]
    [InlineData("http/protobuf")]
    [InlineData("grpc")]
    public async Task A_collector_that_never_answers_sets_the_exit_code_to_5_before_the_exporter_timeout(string protocol)
    {
        using var silent = new TcpListener(IPAddress.Loopback, FreePorts.Next());
        silent.Start();
        await using var service = await StartAsync($"http://{silent.LocalEndpoint}", protocol);

        // The flush gives up after 2 s. The exporter's own timeout is five minutes.
        await MustExitWith5Async(service, "");
    }

    private static Task<PoolApiProcess> StartAsync(string collector, string protocol) => PoolApiProcess.StartAsync(
        ServiceForm.NativeAot,
        onePort: false,
        new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector, ["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol, ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "300000" },
        PoolApiProcess.Diagnostics,
        "--Pool:Workers 2");

    private static async Task MustExitWith5Async(PoolApiProcess service, string reason)
    {
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var clock = Stopwatch.StartNew();
        var summary = await service.StopAsync();
        TestContext.Current.TestOutputHelper!.WriteLine($"exit after {clock.Elapsed.TotalSeconds:F2} s");
        Assert.Equal((5, 1, 1, 2), (summary.Exit, summary.Accepted, summary.Completed, summary.Joined));
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 60);
        await service.WaitForLineAsync("Shutdown: flushing");
        string why = await service.WaitForLineAsync("Telemetry could not be flushed: ");
        Assert.Contains("traces to http://", why, StringComparison.Ordinal);
        Assert.Contains("metrics to http://", why, StringComparison.Ordinal);
        Assert.Contains(reason, why, StringComparison.Ordinal);
    }
}
