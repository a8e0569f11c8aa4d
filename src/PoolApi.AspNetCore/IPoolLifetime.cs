namespace PoolApi.AspNetCore;

/// <summary>The stop of the app, as the pools see it. A service in every app that has a pool.</summary>
public interface IPoolLifetime
{
    /// <summary>
    /// Cancelled when no more requests are taken. That is later than <c>IHostApplicationLifetime.ApplicationStopping</c>, at which
    /// a lame duck may begin that still takes them. The pools themselves close when the hosted services that were registered after
    /// them have stopped, or at the deadline of the drain.
    /// </summary>
    CancellationToken Draining { get; }
}
