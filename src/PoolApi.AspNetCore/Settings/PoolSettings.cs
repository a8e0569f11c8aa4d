using PoolApi.Threading;

namespace PoolApi.AspNetCore.Settings;

/// <summary>The settings of one pool, in the section <c>Pools:{name}</c> unless the app names another.</summary>
internal static class PoolSettings
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);
    private static readonly PoolOptions Defaults = new();

    public static readonly Setting<long> Workers = Setting.WholeNumber(
        "Workers", Defaults.Workers, 1, FixedThreadPoolOptions.MaxWorkers, "threads that run work")
        .WithDefault("the number of processors, at most 1024");

    public static readonly Setting<long> QueueCapacity = Setting.WholeNumber(
        "QueueCapacity", Defaults.QueueCapacity, 1, FixedThreadPoolOptions.MaxQueueCapacity, "requests that may wait");

    public static readonly Setting<TimeSpan> MaxQueueTime = Setting.Time(
        "MaxQueueTime", Defaults.MaxQueueTime, Shortest, Longest, "how long a request may wait for a worker", orInfinite: true);

    public static readonly Setting<TimeSpan> MaxRunTime = Setting.Time(
        "MaxRunTime", Defaults.MaxRunTime, Shortest, Longest, "how long the work of a request may run", orInfinite: true);

    public static readonly Setting<long> MaxBodyBytes = Setting.WholeNumber(
        "MaxBodyBytes", Defaults.MaxBodyBytes, 1, 1L << 30, "bytes of one body; never more than `QueueBytes`");

    public static readonly Setting<long> QueueBytes = Setting.WholeNumber(
        "QueueBytes", Defaults.QueueBytes, 1, 1L << 40,
        "bytes of the bodies of all waiting requests, and as many again of responses that clients have not read yet")
        .WithDefault(PoolOptions.DefaultQueueBytes, isInFaults: true);

    public static readonly Setting<bool> OverloadControl = Setting.Boolean(
        "OverloadControl", Defaults.OverloadControl, "refuse requests that would wait longer than a quarter of the time that the clients of the same route are seen to wait");

    public static readonly Setting<bool> ServerTiming = Setting.Boolean("ServerTiming", Defaults.ServerTiming, "responses have a `Server-Timing` header");

    public static readonly Setting<TimeSpan> StuckAfter = Setting.Time(
        "StuckAfter", Defaults.StuckAfter, Shortest, Longest,
        "a worker is shown as stuck after so long on one item, and when its item has run for longer than `MaxRunTime`", orInfinite: true);

    public static readonly Setting<long> Nice = Setting.WholeNumber(
        "Nice", Defaults.Nice, 0, 19, "nice value that is added for the workers' threads; a higher one leaves more of a busy processor to the server's threads");

    /// <summary>The pool's name, if the configuration sets it.</summary>
    public static readonly TextSetting Name = Setting.Words(
        "Name", "cpu", PoolName.IsValid, PoolName.Rule, "the name of the pool; its threads are named `{name}-{id}`");

    /// <summary>The pool's name, if the app's code sets it. The setting may only repeat it.</summary>
    public static TextSetting NameOf(string registered) => Setting.Words(
        Name.Key, registered, text => text == registered, $"'{registered}', the name that the app registered", Name.Text);

    /// <summary>All settings except the name.</summary>
    public static readonly IReadOnlyList<Setting> All =
        [Workers, QueueCapacity, MaxQueueTime, MaxRunTime, MaxBodyBytes, QueueBytes, OverloadControl, ServerTiming, StuckAfter, Nice];
}
