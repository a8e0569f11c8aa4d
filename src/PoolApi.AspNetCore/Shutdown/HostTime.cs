using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// Gives the host the time that the phases of a stop need: with less, the host would cut connections in the middle of them. A time that
/// the app has set is kept if it is long enough, and otherwise replaced, which the log says at the start.
/// </summary>
internal sealed class HostTime(IOptions<ShutdownOptions> shutdown)
{
    private static readonly TimeSpan Default = new HostOptions().ShutdownTimeout;

    // No app sets this time. It tells a time that the app has set from the framework's default, also where the two are equal.
    private static readonly TimeSpan NotSet = Default + TimeSpan.FromTicks(1);

    /// <summary>The first to configure the host's options, before the app does.</summary>
    public static ConfigureOptions<HostOptions> Unset { get; } = new(static host => host.ShutdownTimeout = NotSet);

    /// <summary>The time that the app had set and that was too short.</summary>
    public TimeSpan? Replaced { get; private set; }

    /// <summary>The last to configure the host's options.</summary>
    public void Give(HostOptions host)
    {
        TimeSpan? set = host.ShutdownTimeout == NotSet ? null : host.ShutdownTimeout;
        host.ShutdownTimeout = set ?? Default;
        try
        {
            TimeSpan needed = shutdown.Value.Longest;
            if (set is null) host.ShutdownTimeout = needed;
            else if (set != Timeout.InfiniteTimeSpan && set < needed) (Replaced, host.ShutdownTimeout) = (set, needed);
        }
        catch (OptionsValidationException)
        {
            // The host asks for this while it is built; at the start the fault is reported together with all others.
        }
    }
}
