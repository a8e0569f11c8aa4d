using System.Diagnostics.Metrics;
using PoolApi.Dashboard.Tests.Support;

namespace PoolApi.Dashboard.Tests.Recording;

/// <summary>All dashboards of an app share one set of snapshots, which a metric counts.</summary>
public sealed class SharedSnapshotTests
{
    [Fact]
    public async Task A_dashboard_that_is_mapped_twice_takes_one_snapshot_and_shows_it_under_both_paths()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync(map: static app =>
        {
            app.MapPoolDashboard("/ops", static o => o.SlowItem = TimeSpan.FromMilliseconds(5));
            app.MapPoolDashboard("/shown", static o => o.ReadOnly = true);
        });
        var taken = new Dictionary<string, long>();
        using var listener = new MeterListener();
        object? scope = app.Services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Scope == scope && instrument.Name == "poolapi.snapshot.taken") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) => taken.Add((string)tags[0].Value!, value));
        listener.Start();

        await app.Pool.RunAsync(() => app.Clock!.Advance(TimeSpan.FromMilliseconds(10)), TestContext.Current.CancellationToken);
        app.Tick(2);

        using HttpClient client = app.Client();
        string[] shown = [await client.GetStringAsync("/ops/snapshots"), await client.GetStringAsync("/shown/snapshots")];
        Assert.Equal(shown[0], shown[1]);
        Assert.Equal(2, shown[0].Split("\"trigger\":\"slow-item\"").Length);
        listener.RecordObservableInstruments();
        Assert.Equal(
            [("expiry", 0), ("overload", 0), ("slow-item", 1), ("stuck", 0), ("unclean-stop", 0)],
            taken.Select(static t => (t.Key, t.Value)).Order());
    }

    [Fact]
    public async Task A_later_mapping_with_different_snapshot_options_is_refused()
    {
        var fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => MonitoredApp.StartAsync(map: static app =>
        {
            app.MapPoolDashboard("/ops", static o => o.SlowItem = TimeSpan.FromSeconds(1));
            app.MapPoolDashboard("/same", static o => o.SlowItem = TimeSpan.FromSeconds(1));
            app.MapPoolDashboard("/other", static o => o.SlowItem = TimeSpan.FromSeconds(2));
        }));
        Assert.Contains("PoolDashboardOptions.SlowItem differs", fault.Message, StringComparison.Ordinal);
    }
}
