using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Admits exactly <see cref="ShutdownOptions.MaxRequests"/> requests for work and begins the stop with the last. Thread-safe.</summary>
/// <remarks>
/// A request reserves a permit before it is submitted to the pool and gives it back if the pool refuses, so a full queue uses up no permit.
/// The stop begins when the last permit is used, not when it is reserved. Without a limit each call costs one comparison.
/// </remarks>
internal sealed class RequestGate(IOptions<ShutdownOptions> options, IHostApplicationLifetime lifetime, ShutdownCoordinator shutdown)
{
    /// <summary>The reason of such a stop in the log.</summary>
    public const string Reason = "max-requests";

    private readonly long _limit = options.Value.MaxRequests;
    private long _reserved;
    private long _admitted;

    /// <summary>Reserves a permit.</summary>
    /// <returns>Whether there was one.</returns>
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

    /// <summary>Gives a reserved permit back: the pool has refused the request.</summary>
    public void GiveBack()
    {
        if (_limit != 0) Interlocked.Decrement(ref _reserved);
    }

    /// <summary>Uses a reserved permit: the pool has accepted the request. The last begins the stop.</summary>
    public void Admitted()
    {
        if (_limit == 0 || Interlocked.Increment(ref _admitted) != _limit) return;
        shutdown.Begin(Reason, lameDuck: false);
        try
        {
            // Not in the request's own flow: it runs callbacks of the app, which may block, and the response would wait for them.
            new Thread(StopHost) { IsBackground = true, Name = "shutdown-max-requests" }.UnsafeStart();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            lifetime.StopApplication(); // the system gives no thread
        }
    }

    private void StopHost()
    {
        try
        {
            lifetime.StopApplication();
        }
        catch (AggregateException)
        {
            // The host logs the exception of a callback, and the log throws too. The host has begun its stop.
        }
    }
}
