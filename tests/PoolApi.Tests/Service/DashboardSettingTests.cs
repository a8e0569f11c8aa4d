using PoolApi.Tests.Settings;

namespace PoolApi.Tests.Service;

/// <summary>The section <c>Dashboard</c>: which event takes a snapshot, and where the snapshot is written.</summary>
public sealed class DashboardSettingTests
{
    [Fact]
    public async Task A_slow_item_leaves_a_snapshot_in_the_directory()
    {
        DirectoryInfo parent = Directory.CreateTempSubdirectory("poolapi-snapshots-");
        string directory = Path.Combine(parent.FullName, "made");
        try
        {
            await using RunningService service = RunningService.With(
                ("Dashboard:SlowItem", "00:00:00.0500000"), ("Dashboard:SnapshotDirectory", directory), ("Dashboard:SnapshotCooldown", "01:00:00"));
            Assert.StartsWith(
                "HTTP/1.1 200",
                await service.ApiAsync("POST /v1/diagnostics/sleep?ms=100 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
                StringComparison.Ordinal);
            await Patience.UntilAsync(() => Directory.GetFiles(directory, "*.json.gz").Length > 0, "A snapshot");

            Assert.Contains("slow-item", Path.GetFileName(Assert.Single(Directory.GetFiles(directory, "*.json.gz"))), StringComparison.Ordinal);
            Assert.Contains("poolapi_snapshot_taken_total{trigger=\"slow-item\"} 1", await service.GetAsync("/metrics"), StringComparison.Ordinal);
        }
        finally
        {
            parent.Delete(recursive: true);
        }
    }
}
