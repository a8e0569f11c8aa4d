using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>A response's body that is written in pieces, each of which the client must take in time; otherwise its connection is cut.</summary>
/// <remarks>
/// The server's own <c>MinResponseDataRate</c> does not do that. It gives a write the time that all of its bytes take at 240 bytes a second,
/// which is more than a day for 24 MiB; and one large write is copied into the server's buffers at once, so that the answer is held twice.
/// A piece fits into the buffer of a connection, and ends when most of what was before it has been taken.
/// </remarks>
internal sealed class PacedStream(Stream inner, HttpContext context, TimeSpan stall) : Stream
{
    private const int Piece = 64 * 1024;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, context.RequestAborted);
        try
        {
            while (!buffer.IsEmpty)
            {
                int count = Math.Min(Piece, buffer.Length);
                late.CancelAfter(stall);
                await inner.WriteAsync(buffer[..count], late.Token);
                buffer = buffer[count..];
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It has left, or reads nothing: nobody is there to be told.
            context.Abort();
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
