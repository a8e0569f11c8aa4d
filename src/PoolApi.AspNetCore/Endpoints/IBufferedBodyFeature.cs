namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The whole body of a request to an endpoint that runs on a pool: it is read before the queue, so that no worker ever waits
/// for a slow client. <c>Request.Body</c> reads the same bytes. Present only if the request can have a body.
/// </summary>
public interface IBufferedBodyFeature
{
    /// <summary>The body. Valid until the request is over, or the body is released; must not be changed.</summary>
    ReadOnlyMemory<byte> Body { get; }

    /// <summary>
    /// Gives the body up, since it is not needed any more and the request will take long: its bytes count no longer, and can be
    /// collected. <see cref="Body"/> and <c>Request.Body</c> are empty then. What has been taken from here before stays as it is.
    /// </summary>
    void Release();
}
