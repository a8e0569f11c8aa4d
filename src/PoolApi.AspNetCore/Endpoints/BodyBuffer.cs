using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Reads a request's body into memory, within the limit for one body and the budget for all.</summary>
/// <remarks>
/// It uses plain arrays, not pooled ones: a worker that was not joined may still read its body after the request has ended, and
/// must not find the bytes of another request there.
/// </remarks>
internal sealed class BodyBuffer : IBufferedBodyFeature
{
    // Largest first buffer.
    private const int FirstChunk = 64 * 1024;

    // If the length is known, buffers grow to exactly it, by this factor. What was outgrown stays in memory until a collection: a third of the body.
    private const int Growth = 4;

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
    /// The largest body in bytes: the smallest of the pool's limit, the endpoint's, the server's (which attributes and middleware
    /// may have changed), and the whole budget, since a larger body would never fit.
    /// </summary>
    private static int Limit(HttpContext context, PoolContext pool, long? ownLimit)
    {
        long limit = Math.Min(Math.Min(pool.Options.MaxBodyBytes, pool.Bodies.Limit), ownLimit ?? long.MaxValue);
        long? server = context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize;
        // A server other than Kestrel may leave the attribute to the code that reads the body.
        long? attribute = context.GetEndpoint()?.Metadata.GetMetadata<IRequestSizeLimitMetadata>()?.MaxRequestBodySize;
        return (int)Math.Min(limit, Math.Min(server ?? limit, attribute ?? limit));
    }

    /// <summary>Reads the body and replaces the request's body with the buffer.</summary>
    /// <returns>The refusal; <see langword="null"/> if the body was read.</returns>
    /// <exception cref="BadHttpRequestException">The server refused the body: it was too slow, cut off, or malformed.</exception>
    /// <param name="context">The request.</param>
    /// <param name="pool">The pool, with its limit on bodies and its budget.</param>
    /// <param name="ownLimit">The endpoint's limit, if it has one. The server's, which attributes and middleware may have changed,
    /// holds too.</param>
    /// <param name="reservation">The body's share of the budget.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    public static async ValueTask<Rejection?> ReadAsync(
        HttpContext context, PoolContext pool, long? ownLimit, BodyReservation reservation, CancellationToken cancellation)
    {
        int limit = Limit(context, pool, ownLimit);
        // The limit is enforced here: the server also counts the framing of chunks, and aborts the connection before the client has read the reason.
        // The server discards what a refused client still sends, but only for some seconds.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } server) server.MaxRequestBodySize = null;
        long? declared = context.Request.ContentLength;
        if (declared > limit) return Rejection.PayloadTooLarge(pool, limit);

        // A body that does not fit now is refused before it is read. Otherwise each piece is reserved before it is read: a client that
        // announces much must send a quarter of it before it has taken all of it from others.
        if (declared > pool.Bodies.Free) return Rejection.NoRoomForBody(pool);
        long end = declared ?? limit;
        int size = FirstSize(declared, limit);
        if (!reservation.TryGrow(size)) return Rejection.NoRoomForBody(pool);
        byte[] bytes = size == 0 ? [] : GC.AllocateUninitializedArray<byte>(size);
        int length = 0;
        while (true)
        {
            if (length == bytes.Length)
            {
                if (length == end)
                {
                    // One byte over the limit must be read to refuse the body. It is not kept, so it needs no budget.
                    if (declared is null && await context.Request.Body.ReadAsync(new byte[1], cancellation) > 0) return Rejection.PayloadTooLarge(pool, limit);
                    break;
                }
                int grown = (int)Math.Min(bytes.Length * (declared is null ? 2L : Growth), end);
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

    /// <summary>The size from which a number of growths leads to the declared length, so that the last buffer that is outgrown is a quarter of it.</summary>
    private static int FirstSize(long? declared, int limit)
    {
        if (declared is not { } size) return Math.Min(FirstChunk, limit);
        while (size > FirstChunk) size = (size + Growth - 1) / Growth;
        return (int)size;
    }
}
