using PoolApi.AspNetCore.Settings;
using PoolApi.Dashboard;

namespace PoolApi.Management;

/// <summary>When the dashboard takes a snapshot, and where it writes snapshots: the section <c>Dashboard</c>.</summary>
/// <param name="SlowItem">The run time from which an item causes a snapshot; <see langword="null"/>: no item does.</param>
/// <param name="SnapshotDirectory">The directory of snapshots; <see langword="null"/>: they are in memory only.</param>
/// <param name="SnapshotCooldown">How long a trigger takes no further snapshot after one.</param>
internal sealed record DashboardSettings(TimeSpan? SlowItem, string? SnapshotDirectory, TimeSpan SnapshotCooldown)
{
    private static readonly PoolDashboardOptions Defaults = new();

    private static readonly Setting<TimeSpan> SlowItemSetting = Setting.Time(
        "SlowItem", Timeout.InfiniteTimeSpan, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1),
        "an item that runs for so long leaves a snapshot: a trace of the seconds before its end", orInfinite: true);

    private static readonly TextSetting DirectorySetting = Setting.Words(
        "SnapshotDirectory", "", static path => path.Length == 0 || !File.Exists(path), "the path of a directory",
        "where snapshots are written, ten files at most, those of earlier processes included: of the trigger that has the most, the oldest is deleted. "
        + "Each instance needs its own. "
        + "It is made if it is not there. Without it they are in memory only");

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
