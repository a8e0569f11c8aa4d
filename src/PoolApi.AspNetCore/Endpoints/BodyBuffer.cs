using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Reads a request's body into memory, within the limit for one body and the budget for all.</summary>
/// <remarks>
/// Plain arrays, not pooled ones: a worker that could not be joined may still read its body after the request is over, and
/// must not find another request's bytes there.
/// </remarks>
internal sealed class BodyBuffer : IBufferedBodyFeature
{
    private const int FirstChunk = 64 * 1024;

    private readonly HttpContext _context;
    private readonly BodyReservation _reservation;
    private readonly int _length;
    private volatile byte[]? _bytes;

    private BodyBuffer(HttpContext context, BodyReservation reservation, byte[] bytes, int length) =>
        (_context, _reservation, _bytes, _length) = (context, reservation, bytes, length);

    public ReadOnlyMemory<byte> Body => _bytes is { } bytes ? new ReadOnlyMemory<byte>(bytes, 0, _length) : default;

    public void Release()
    {
        if (_bytes is null) return;
        _bytes = null;
        _context.Request.Body = Stream.Null;
        _reservation.Release();
    }

    /// <summary>
    /// The most bytes that the body may have: the smallest of the pool's limit, the endpoint's, the server's (which attributes and middleware
    /// may have changed), and of the whole budget, since trying again would not make room for more.
    /// </summary>
    private static int Limit(HttpContext context, PoolContext pool, long? ownLimit)
    {
        long limit = Math.Min(Math.Min(pool.Options.MaxBodyBytes, pool.Bodies.Limit), ownLimit ?? long.MaxValue);
        long? server = context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize;
        // Another server than Kestrel may leave the attribute to whoever reads the body.
        long? attribute = context.GetEndpoint()?.Metadata.GetMetadata<IRequestSizeLimitMetadata>()?.MaxRequestBodySize;
        return (int)Math.Min(limit, Math.Min(server ?? limit, attribute ?? limit));
    }

    /// <summary>Reads the body and puts it in the place of the request's own.</summary>
    /// <returns>What is wrong with it, as an answer; <see langword="null"/> if all is well.</returns>
    /// <exception cref="BadHttpRequestException">The server refused it: too slow, cut off, or malformed.</exception>
    /// <param name="context">The request.</param>
    /// <param name="pool">Its pool, whose limit on a body holds, and whose budget is used.</param>
    /// <param name="ownLimit">The endpoint's limit, if it has one. The server's, which attributes and middleware may have changed,
    /// holds too.</param>
    /// <param name="reservation">What the body takes of the budget.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async ValueTask<Rejection?> ReadAsync(
        HttpContext context, PoolContext pool, long? ownLimit, BodyReservation reservation, CancellationToken cancellation)
    {
        int limit = Limit(context, pool, ownLimit);
        // The limit is kept here: the server counts the framing of chunks too, and cuts the connection before the client has read why.
        // What a refused client goes on sending, the server reads away for some seconds only.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } server) server.MaxRequestBodySize = null;
        long? declared = context.Request.ContentLength;
        if (declared > limit) return Rejection.PayloadTooLarge(pool, limit);

        // What does not fit now is refused before it is read. What can is reserved piece by piece, each before it is read: a client that
        // announces much and sends little must not keep out those that do send.
        if (declared > pool.Bodies.Free) return Rejection.NoRoomForBody(pool);
        long end = declared ?? limit;
        int size = (int)Math.Min(FirstChunk, end);
        if (!reservation.TryGrow(size)) return Rejection.NoRoomForBody(pool);
        byte[] bytes = size == 0 ? [] : GC.AllocateUninitializedArray<byte>(size);
        int length = 0;
        while (true)
        {
            if (length == bytes.Length)
            {
                if (length == end)
                {
                    // One byte more than is allowed must be seen to be refused. It is not kept, so it needs no room in the budget.
                    if (declared is null && await context.Request.Body.ReadAsync(new byte[1], cancellation) > 0) return Rejection.PayloadTooLarge(pool, limit);
                    break;
                }
                int grown = (int)Math.Min(bytes.Length * 2L, end);
                if (!reservation.TryGrow(grown - bytes.Length)) return Rejection.NoRoomForBody(pool);
                byte[] larger = GC.AllocateUninitializedArray<byte>(grown);
                bytes.CopyTo(larger, 0);
                bytes = larger;
            }
            int read = await context.Request.Body.ReadAsync(bytes.AsMemory(length), cancellation);
            if (read == 0) break;
            length += read;
        }

        context.Features.Set<IBufferedBodyFeature>(new BodyBuffer(context, reservation, bytes, length));
        context.Request.Body = new MemoryStream(bytes, 0, length, writable: false, publiclyVisible: true);
        return null;
    }
}
