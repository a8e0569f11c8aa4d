using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The body of a response that is written in pieces. The client must read each piece in time, and all of them at an average rate. Otherwise its
/// connection is aborted.
/// </summary>
/// <remarks>
/// <para>The response stays in memory until its last byte is read. A limit for each piece alone lets a client that reads each piece just in
/// time hold it for hours. So the piece that ends at byte n must be read within <c>stall + n / rate</c> of the start.</para>
/// <para>
/// The server's own <c>MinResponseDataRate</c> does not do that. It gives a write the time that all of its bytes take at 240 bytes a second,
/// which is more than a day for 24 MiB. One large write is also copied into the server's buffers at once, so the response is held twice.
/// A piece fits into the buffer of a connection, and its write ends when most of the bytes before it were read.</para>
/// </remarks>
/// <param name="inner">The server's own stream.</param>
/// <param name="context">The request, which is aborted if its client is too slow.</param>
/// <param name="stall">How long one piece may take.</param>
/// <param name="minimumRate">Bytes per second, on average since the start.</param>
/// <param name="time">The clock.</param>
internal sealed class PacedStream(Stream inner, HttpContext context, TimeSpan stall, double minimumRate, TimeProvider time) : WriteOnlyStream
{
    public const int Piece = 64 * 1024;

    private readonly long _start = time.GetTimestamp();
    private long _sent;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using var late = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        using var any = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, context.RequestAborted, late.Token);
        try
        {
            while (!buffer.IsEmpty)
            {
                int count = Math.Min(Piece, buffer.Length);
                late.CancelAfter(TimeFor(count));
                await inner.WriteAsync(buffer[..count], any.Token);
                _sent += count;
                buffer = buffer[count..];
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The client has disconnected or reads too slowly, so there is no client for an error.
            NoStore.Abort(context);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

    /// <summary>The time that the next piece may take; 0 if it is over.</summary>
    private TimeSpan TimeFor(int count)
    {
        if (stall == Timeout.InfiniteTimeSpan) return stall;
        TimeSpan left = stall + TimeSpan.FromSeconds((_sent + count) / minimumRate) - time.GetElapsedTime(_start);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left < stall ? left : stall;
    }
}
