namespace PoolApi.AspNetCore;

/// <summary>The stop of the app, as the pools see it. A service in every app that has a pool.</summary>
public interface IPoolLifetime
{
    /// <summary>
    /// Cancelled when the pools take no more work. That is later than <c>IHostApplicationLifetime.ApplicationStopping</c>, at which
    /// a lame duck may begin that still takes work.
    /// </summary>
    CancellationToken Draining { get; }
}
