namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The whole body of a request to an endpoint that runs on a pool: it is read before the queue, so that no worker ever waits
/// for a slow client. <c>Request.Body</c> reads the same bytes. Present only if the request can have a body.
/// </summary>
public interface IBufferedBodyFeature
{
    /// <summary>The body. Valid until the request is over; must not be changed.</summary>
    ReadOnlyMemory<byte> Body { get; }
}
