using PoolApi.AspNetCore.Settings;
using PoolApi.Dashboard;

namespace PoolApi.Management;

/// <summary>What leaves a snapshot, and where it is kept: the section <c>Dashboard</c>.</summary>
/// <param name="SlowItem">An item that runs for so long leaves one; <see langword="null"/>: none does.</param>
/// <param name="SnapshotDirectory">Where they are written; <see langword="null"/>: nowhere.</param>
/// <param name="SnapshotCooldown">How long the same trigger leaves no other.</param>
internal sealed record DashboardSettings(TimeSpan? SlowItem, string? SnapshotDirectory, TimeSpan SnapshotCooldown)
{
    private static readonly PoolDashboardOptions Defaults = new();

    private static readonly Setting<TimeSpan> SlowItemSetting = Setting.Time(
        "SlowItem", Timeout.InfiniteTimeSpan, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1),
        "an item that runs for so long leaves a snapshot: a trace of the seconds before its end", orInfinite: true);

    private static readonly TextSetting DirectorySetting = Setting.Words(
        "SnapshotDirectory", "", static path => path.Length == 0 || !File.Exists(path), "the path of a directory",
        "where snapshots are written, ten files at most; it is made if it is not there. Without it they are in memory only");

    private static readonly Setting<TimeSpan> CooldownSetting = Setting.Time(
        "SnapshotCooldown", Defaults.SnapshotCooldown, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), "how long the same trigger leaves no other snapshot");

    public static readonly SettingSection Section = new("Dashboard", [SlowItemSetting, DirectorySetting, CooldownSetting]);

    public static DashboardSettings Read(IConfiguration configuration, string contentRoot, List<string> faults)
    {
        var reader = new SettingsReader(configuration.GetSection(Section.Name), faults);
        TimeSpan slow = reader.Read(SlowItemSetting, Timeout.InfiniteTimeSpan);
        string directory = reader.Read(DirectorySetting);
        TimeSpan cooldown = reader.Read(CooldownSetting, Defaults.SnapshotCooldown);
        reader.RejectUnknownKeys();
        return new DashboardSettings(
            slow == Timeout.InfiniteTimeSpan ? null : slow, directory.Length == 0 ? null : Path.GetFullPath(directory, contentRoot), cooldown);
    }

    public void AddTo(PoolDashboardOptions options) =>
        (options.SlowItem, options.SnapshotDirectory, options.SnapshotCooldown) = (SlowItem, SnapshotDirectory, SnapshotCooldown);
}
