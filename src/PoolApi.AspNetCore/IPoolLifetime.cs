namespace PoolApi.AspNetCore;

/// <summary>Signals that the app refuses new requests because it stops. Registered as a service in every app that has a pool.</summary>
public interface IPoolLifetime
{
    /// <summary>
    /// Cancelled when new requests are refused. With a lame duck this is later than <c>IHostApplicationLifetime.ApplicationStopping</c>. The
    /// pools themselves close when the hosted services that were registered after them have stopped, or at the deadline of the drain.
    /// </summary>
    CancellationToken Draining { get; }
}
