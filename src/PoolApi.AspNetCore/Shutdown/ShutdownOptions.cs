namespace PoolApi.AspNetCore.Shutdown;

/// <summary>How an app with pools stops, read from the configuration section <c>PoolShutdown</c>
/// unless said otherwise.</summary>
public sealed class ShutdownOptions
{
    /// <summary>
    /// After a signal, how long work is still accepted while readiness already says no, so that load balancers can move
    /// away; 0 to 1 hour. Default: 0, none. Without <c>AddPoolProcessLifetime</c> the host takes the signals, and each stop of the host counts
    /// as one.
    /// </summary>
    public TimeSpan LameDuck { get; set; }

    /// <summary>How long accepted work has to finish, 0 to 1 day. Default: 15 seconds.</summary>
    public TimeSpan Drain { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long work that missed the drain has to end once it is cancelled, 0 to 1 hour. Default: 2 seconds.</summary>
    public TimeSpan Cancel { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// After so many admitted requests for work, stop: drain, join, exit. 0 (the default) for no limit.
    /// </summary>
    public long MaxRequests { get; set; }

    /// <summary>
    /// Whether the process is ended, with exit code 70, when its stop takes longer than all of its phases may. Default: true. Only with
    /// <c>AddPoolProcessLifetime</c>: without it nothing here ends the process.
    /// </summary>
    public bool Watchdog { get; set; } = true;

    /// <summary>How long the threads have to end.</summary>
    internal static readonly TimeSpan Join = TimeSpan.FromSeconds(2);

    /// <summary>How long the answers of work whose thread could not be joined may take to be written.</summary>
    internal static readonly TimeSpan LastAnswers = TimeSpan.FromMilliseconds(500);

    /// <summary>How long connections have to end once they are asked to: the server looks once a second.</summary>
    internal static readonly TimeSpan LastConnections = TimeSpan.FromMilliseconds(1500);

    /// <summary>How long the server has to stop, before it cuts what is left.</summary>
    internal static readonly TimeSpan ServerStop = TimeSpan.FromMilliseconds(500);

    /// <summary>How long telemetry has to be flushed.</summary>
    internal static readonly TimeSpan Flush = TimeSpan.FromSeconds(2);

    /// <summary>What the watchdog leaves for the host to cut what is late, and for that to end.</summary>
    internal static readonly TimeSpan HostCut = TimeSpan.FromSeconds(3);

    /// <summary>How long the threads have to end where the end cannot wait.</summary>
    internal static readonly TimeSpan ForcedJoin = TimeSpan.FromMilliseconds(300);

    /// <summary>How long an end that cannot wait may take to tell what it left.</summary>
    internal static readonly TimeSpan ForcedEnd = TimeSpan.FromMilliseconds(700);

    /// <summary>What other services of the app have to stop, and a busy machine to be late, beyond the phases.</summary>
    internal static readonly TimeSpan Slack = TimeSpan.FromSeconds(5);

    /// <summary>The longest that a stop may take.</summary>
    internal TimeSpan Longest => LameDuck + Drain + Cancel + Join + LastAnswers + LastConnections + ServerStop + Flush + Slack;

    /// <summary>What the configuration got wrong; reported by the validation, all faults at once.</summary>
    internal List<string> Faults { get; } = [];
}
