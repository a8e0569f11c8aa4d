using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>
/// Sets the host's ShutdownTimeout to the sum of the phases of a stop, and 5 s more. With a shorter timeout the host would cut
/// connections during the drain. A timeout that the app has set is kept if it is long enough. Otherwise it is replaced, and the log reports it.
/// </summary>
internal sealed class HostTime(IOptions<ShutdownOptions> shutdown)
{
    private static readonly TimeSpan Default = new HostOptions().ShutdownTimeout;

    // A time that no app sets. It distinguishes a timeout that the app has set from the framework's default, even if both are equal.
    private static readonly TimeSpan NotSet = Default + TimeSpan.FromTicks(1);

    /// <summary>Configures the host's options before the app does.</summary>
    public static ConfigureOptions<HostOptions> Unset { get; } = new(static host => host.ShutdownTimeout = NotSet);

    /// <summary>The timeout that the app had set and that was too short; <see langword="null"/>: none was replaced.</summary>
    public TimeSpan? Replaced { get; private set; }

    /// <summary>Configures the host's options after the app does.</summary>
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
            // The host reads its options while it is built. The start reports this fault together with all others.
        }
    }
}
