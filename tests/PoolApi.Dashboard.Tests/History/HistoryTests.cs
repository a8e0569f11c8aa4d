using PoolApi.Dashboard.Tests.Support;

namespace PoolApi.Dashboard.Tests.History;

/// <summary>How long the history keeps samples.</summary>
public class HistoryTests
{
    [Fact]
    public async Task The_history_keeps_five_minutes_per_second_and_one_hour_per_ten_seconds()
    {
        await using MonitoredApp app = await MonitoredApp.StartAsync();
        await app.Pool.RunAsync(static () => { });
        app.Tick(2);
        app.Tick(2 * 3600); // idle
        await app.Pool.RunAsync(static () => { });
        app.Tick();
        Assert.Equal(300, app.History.ByTheSecond().Length);
        Assert.Equal(360, app.History.ByTenSeconds().Length);
        Assert.Equal(3600, app.History.ByTenSeconds().Sum(static s => s.Seconds), 2.0);
    }
}
