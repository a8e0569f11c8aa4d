using PoolApi.AspNetCore.Settings;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The settings of the stop, in the section <c>PoolShutdown</c> unless the app names another.</summary>
internal static class ShutdownSettings
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly ShutdownOptions Defaults = new();

    public static readonly Setting<TimeSpan> LameDuck = Setting.Time(
        "LameDuck", Defaults.LameDuck, TimeSpan.Zero, Hour, "after a signal: how long the service is not ready and still accepts work");

    public static readonly Setting<TimeSpan> Drain = Setting.Time(
        "Drain", Defaults.Drain, TimeSpan.Zero, TimeSpan.FromDays(1), "how long accepted work has to finish");

    public static readonly Setting<TimeSpan> Cancel = Setting.Time(
        "Cancel", Defaults.Cancel, TimeSpan.Zero, Hour, "how long cancelled work has to end");

    public static readonly Setting<long> MaxRequests = Setting.WholeNumber(
        "MaxRequests", Defaults.MaxRequests, 0, long.MaxValue, "stop after so many requests for work; 0 for no limit");

    public static readonly Setting<bool> Watchdog = Setting.Boolean(
        "Watchdog", Defaults.Watchdog, "end the process, with exit code 70, if its stop takes longer than all its phases may");

    public static readonly IReadOnlyList<Setting> All = [LameDuck, Drain, Cancel, MaxRequests, Watchdog];
}
