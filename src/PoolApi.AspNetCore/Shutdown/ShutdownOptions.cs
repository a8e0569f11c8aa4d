namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Options of the app's stop, bound to the configuration section <c>PoolShutdown</c> unless the app names another.</summary>
public sealed class ShutdownOptions
{
    /// <summary>
    /// How long the app still accepts work after a signal while its readiness check already fails, so that load balancers stop sending
    /// requests; 0 to 1 hour. Default: 0, no lame duck. Without <c>AddPoolProcessLifetime</c> the host handles the signals, and every stop of
    /// the host begins with the lame duck, except one by <c>MapPoolDrain</c> or by <see cref="MaxRequests"/>.
    /// </summary>
    public TimeSpan LameDuck { get; set; }

    /// <summary>How long accepted work has to finish, 0 to 1 day. Default: 15 seconds.</summary>
    public TimeSpan Drain { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long work that missed the drain's deadline has to end after it is cancelled, 0 to 1 hour. Default: 2 seconds.</summary>
    public TimeSpan Cancel { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The number of requests for work after which the app stops: it drains, joins its threads and exits. 0 (the default): no limit.
    /// </summary>
    public long MaxRequests { get; set; }

    /// <summary>
    /// Whether a watchdog ends the process with exit code 70 if the stop takes longer than all of its phases may. Default: true. Used only
    /// with <c>AddPoolProcessLifetime</c>.
    /// </summary>
    public bool Watchdog { get; set; } = true;

    /// <summary>How long the workers' threads have to end.</summary>
    internal static readonly TimeSpan Join = TimeSpan.FromSeconds(2);

    /// <summary>How long the responses of requests whose thread could not be joined have to be written.</summary>
    internal static readonly TimeSpan LastResponses = TimeSpan.FromMilliseconds(500);

    /// <summary>How long connections have to close after they are asked to. Kestrel's timer looks once a second.</summary>
    internal static readonly TimeSpan LastConnections = TimeSpan.FromMilliseconds(1500);

    /// <summary>How long the server has to stop before it aborts the remaining connections.</summary>
    internal static readonly TimeSpan ServerStop = TimeSpan.FromMilliseconds(500);

    /// <summary>How long telemetry has to be flushed.</summary>
    internal static readonly TimeSpan Flush = TimeSpan.FromSeconds(2);

    /// <summary>How long the watchdog waits beyond the host's ShutdownTimeout, in which the host aborts what is late.</summary>
    internal static readonly TimeSpan HostCut = TimeSpan.FromSeconds(3);

    /// <summary>How long the workers' threads have to end when the stop is cut short.</summary>
    internal static readonly TimeSpan ForcedJoin = TimeSpan.FromMilliseconds(300);

    /// <summary>How long a stop that is cut short may take to write its last lines.</summary>
    internal static readonly TimeSpan ForcedEnd = TimeSpan.FromMilliseconds(700);

    /// <summary>The same before the host starts. Nothing has been accepted and no client waits, so a busy machine gets more time for the lines.</summary>
    internal static readonly TimeSpan EarlyEnd = TimeSpan.FromSeconds(5);

    /// <summary>The time beyond the phases: for the app's other services to stop, and for the delays of a busy machine.</summary>
    internal static readonly TimeSpan Slack = TimeSpan.FromSeconds(5);

    /// <summary>The longest that a stop may take.</summary>
    internal TimeSpan Longest => LameDuck + Drain + Cancel + Join + LastResponses + LastConnections + ServerStop + Flush + Slack;

    /// <summary>The faults of the configuration. The validation reports all of them at once.</summary>
    internal List<string> Faults { get; } = [];
}
