using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Telemetry;

/// <summary>The counters of each endpoint's kind, and of each possible refusal, exist with the value 0 before the first request.</summary>
public sealed class DeclaredMetricsTests
{
    [Fact]
    public async Task Every_endpoint_and_every_refusal_has_its_counters_from_the_start()
    {
        string name = "declared-" + Guid.NewGuid().ToString("N")[..8];
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/v1/render", static () => "done").RunOnPool(name);
                app.MapGroup("/v1/sums").RunOnPool(name, static o => o.Kind = "sum").MapPost("/{a:int}", static (int a) => a);
            },
            new() { ["Declared:Workers"] = "1" },
            builder => builder.Services.AddFixedThreadPool(name).FromSection("Declared"));
        var series = new ConcurrentBag<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == FixedThreadPool.MeterName) listener.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string[] labels = [.. tags.ToArray().Select(static tag => $"{tag.Value}")];
            if (labels.Contains(name)) series.Add($"{instrument.Name} {string.Join(' ', labels.Except([name]))} {value}");
        });
        listener.Start();
        listener.RecordObservableInstruments();

        foreach (string kind in (string[])["render", "sum"]) Assert.Contains($"poolapi.work.finished {kind} expired 0", series);
        Assert.DoesNotContain("poolapi.work.finished work expired 0", series);
        foreach (string reason in (string[])["queue_full", "overloaded", "draining", "payload_too_large"]) Assert.Contains($"poolapi.work.rejected {reason} 0", series);
        Assert.DoesNotContain("poolapi.work.rejected quota 0", series);
    }
}
