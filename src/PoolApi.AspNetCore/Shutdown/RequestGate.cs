using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Lets <see cref="ShutdownOptions.MaxRequests"/> requests for work in, exactly, and asks the app to stop with the last.</summary>
/// <remarks>
/// A place is reserved before the pool is asked and given back if the pool refuses, so a full queue does not use one up.
/// The stop begins when the last place has been used, not when it is reserved.
/// </remarks>
internal sealed class RequestGate(IOptions<ShutdownOptions> options, IHostApplicationLifetime lifetime, ShutdownCoordinator shutdown)
{
    /// <summary>What the log gives as the reason of such a stop.</summary>
    public const string Reason = "max-requests";

    private readonly long _limit = options.Value.MaxRequests;
    private long _reserved;
    private long _admitted;

    public bool TryReserve()
    {
        if (_limit == 0) return true;
        long reserved = Volatile.Read(ref _reserved);
        while (reserved < _limit)
        {
            long seen = Interlocked.CompareExchange(ref _reserved, reserved + 1, reserved);
            if (seen == reserved) return true;
            reserved = seen;
        }
        return false;
    }

    public void GiveBack()
    {
        if (_limit != 0) Interlocked.Decrement(ref _reserved);
    }

    public void Admitted()
    {
        if (_limit == 0 || Interlocked.Increment(ref _admitted) != _limit) return;
        shutdown.Begin(Reason, lameDuck: false);
        lifetime.StopApplication();
    }
}
