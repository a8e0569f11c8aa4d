namespace PoolApi.AspNetCore.Shutdown;

/// <summary>How an app with pools stops, read from the configuration section <c>Shutdown</c>.</summary>
public sealed class ShutdownOptions
{
    /// <summary>
    /// After a signal, how long work is still accepted while readiness already says no, so that load balancers can move
    /// away; 0 to 1 hour. Default: 0, none.
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

    /// <summary>How long the threads have to end.</summary>
    internal static readonly TimeSpan Join = TimeSpan.FromSeconds(2);

    /// <summary>What is left for the server to write its last answers and close, beyond the phases.</summary>
    internal static readonly TimeSpan Slack = TimeSpan.FromSeconds(3);

    /// <summary>What the configuration got wrong; reported by the validation, all faults at once.</summary>
    internal List<string> Faults { get; } = [];
}
