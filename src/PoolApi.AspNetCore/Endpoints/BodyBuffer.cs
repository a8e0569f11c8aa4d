using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Reads a request's body into memory, within the limit for one body and the budget for all.</summary>
/// <remarks>
/// It uses plain arrays, not pooled ones: a worker that was not joined may still read its body after the request has ended, and
/// must not find the bytes of another request there.
/// <para>A limit may become known when the body is here: routing behind a branch on a pool finds an endpoint with <c>[RequestSizeLimit]</c>. So this
/// object also takes the place of the server's <see cref="IHttpMaxRequestBodySizeFeature"/>. A limit that is smaller than the body makes its
/// readers fail, as the server's own stream does.</para>
/// </remarks>
internal sealed class BodyBuffer : IBufferedBodyFeature, IHttpMaxRequestBodySizeFeature
{
    // The most bytes of the first buffer.
    private const int FirstChunk = 64 * 1024;

    // If the length is known, each buffer is this many times as large as the one before, up to the declared length. The outgrown buffers stay in
    // memory until a collection. Together they are a third of the body.
    private const int Growth = 4;

    private readonly HttpContext _context;
    private readonly BodyReservation _reservation;
    private readonly int _length;
    private volatile byte[]? _bytes;
    private long? _limit;

    private BodyBuffer(HttpContext context, BodyReservation reservation, byte[] bytes, int length, int limit) =>
        (_context, _reservation, _bytes, _length, _limit) = (context, reservation, bytes, length, limit);

    public ReadOnlyMemory<byte> Body => _bytes is { } bytes ? new ReadOnlyMemory<byte>(bytes, 0, _length) : default;

    bool IHttpMaxRequestBodySizeFeature.IsReadOnly => false;

    long? IHttpMaxRequestBodySizeFeature.MaxRequestBodySize
    {
        get => _limit;
        set
        {
            bool wasTooLarge = _length > _limit;
            _limit = value;
            if (_bytes is not { } bytes) return;
            if (_length > value) _context.Request.Body = new TooLargeBody(value.Value);
            else if (wasTooLarge) _context.Request.Body = NewBody(bytes, _length);
        }
    }

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

        // A body that does not fit now is refused before it is read. A body that may fit is reserved piece by piece: a client must have sent a
        // quarter of a declared body before all of that body is reserved.
        if (declared > pool.Bodies.Free) return Rejection.NoRoomForBody(pool);
        int reserved = FirstSize(declared, limit);
        if (!reservation.TryGrow(reserved)) return Rejection.NoRoomForBody(pool);
        byte[] bytes = NewBuffer(reserved);
        int length = 0;
        try
        {
            // The body ends where a read returns nothing. The declared length is only a hint: if middleware decompresses, it counts the compressed bytes.
            while (await context.Request.Body.ReadAsync(bytes.AsMemory(length), cancellation) is > 0 and int read)
            {
                length += read;
                if (length > limit) return Rejection.PayloadTooLarge(pool, limit);
                if (length < bytes.Length) continue;
                int grown = NextSize(reserved, declared, limit);
                if (!reservation.TryGrow(grown - reserved)) return Rejection.NoRoomForBody(pool);
                byte[] larger = NewBuffer(reserved = grown);
                bytes.CopyTo(larger, 0);
                bytes = larger;
            }
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            // Middleware that decompresses enforces a limit of its own on what it returns: the server's or the endpoint's, which hold here too.
            return Rejection.PayloadTooLarge(pool, limit);
        }

        var buffer = new BodyBuffer(context, reservation, bytes, length, limit);
        context.Features.Set<IBufferedBodyFeature>(buffer);
        context.Features.Set<IHttpMaxRequestBodySizeFeature>(buffer);
        context.Request.Body = NewBody(bytes, length);
        return null;
    }

    private static MemoryStream NewBody(byte[] bytes, int length) => new(bytes, 0, length, writable: false, publiclyVisible: true);

    /// <summary>
    /// Creates a buffer with one byte more than is reserved. If a body fills the reservation, a read into that byte shows whether the body
    /// ends there or is larger.
    /// </summary>
    private static byte[] NewBuffer(int reserved) => GC.AllocateUninitializedArray<byte>(reserved + 1);

    /// <summary>The next larger size. The sizes grow up to the declared length. Beyond it, or without one, they double up to the limit.</summary>
    private static int NextSize(int size, long? declared, int limit) =>
        size < declared ? (int)Math.Min((long)size * Growth, declared.Value) : (int)Math.Min(Math.Max(size * 2L, FirstChunk), limit);

    /// <summary>
    /// The first size. With a declared length it is chosen so that the sizes grow to exactly that length, and the last smaller buffer is a
    /// quarter of it.
    /// </summary>
    private static int FirstSize(long? declared, int limit)
    {
        if (declared is not { } size) return Math.Min(FirstChunk, limit);
        while (size > FirstChunk) size = (size + Growth - 1) / Growth;
        return (int)size;
    }

    /// <summary>The body of a request whose limit became smaller than it.</summary>
    private sealed class TooLargeBody(long limit) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new BodyLimitException(limit);

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
