namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The whole body of a request to an endpoint that runs on a pool. It is read before the request is queued, so that no worker waits
/// for a slow client. <c>Request.Body</c> reads the same bytes. Present only if the request can have a body.
/// </summary>
public interface IBufferedBodyFeature
{
    /// <summary>The body. Valid until the request ends or the body is released. It must not be changed.</summary>
    ReadOnlyMemory<byte> Body { get; }

    /// <summary>
    /// Releases the body, if it is no longer needed and the request will take long: its bytes no longer count and can be
    /// garbage collected. <see cref="Body"/> and <c>Request.Body</c> are empty then. Memory that was read from here before stays valid.
    /// </summary>
    void Release();
}
