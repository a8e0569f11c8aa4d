using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The memory into which a result is executed on the pool. Its bytes count against the <see cref="ResponseBudget"/> as it grows, in pieces of
/// <see cref="ResponseBudget.Small"/>, so that a result cannot use up the memory before its length is known.
/// </summary>
/// <param name="context">The request.</param>
/// <param name="budget">
/// The budget; <see langword="null"/>: the result is that of work that was accepted before, which has no client here. Its
/// <see cref="IAcceptedWorkFeature"/> limits it.
/// </param>
/// <param name="cancellation">Ends the execution of the result at its next write.</param>
internal sealed class ResponseBuffer(HttpContext context, ResponseBudget? budget, CancellationToken cancellation) : WriteOnlyStream
{
    private readonly MemoryStream _bytes = new();
    private readonly IAcceptedWorkFeature? _accepted = budget is null ? context.Features.Get<IAcceptedWorkFeature>() : null;
    private ResponseReservation? _reservation;

    /// <summary>Whether the budget has refused more bytes. The writer got an exception then.</summary>
    public bool IsFull { get; private set; }

    public ReadOnlyMemory<byte> Bytes => _bytes.GetBuffer().AsMemory(0, (int)_bytes.Length);

    /// <summary>Takes the reservation of a buffer that is complete, with as many bytes as it has.</summary>
    /// <returns>The reservation; <see langword="null"/>: the response is small, or has no budget.</returns>
    public ResponseReservation? TakeReservation()
    {
        (ResponseReservation? taken, _reservation) = (_reservation, null);
        taken?.TryResize(_bytes.Length); // gives surplus bytes back
        return taken;
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        cancellation.ThrowIfCancellationRequested();
        Reserve(buffer.Length);
        _bytes.Write(buffer);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Write(buffer.AsSpan(offset, count));
        return Task.CompletedTask;
    }

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Gives the bytes back that <see cref="TakeReservation"/> has not taken.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _reservation?.Dispose();
        base.Dispose(disposing);
    }

    /// <exception cref="IOException">The budget has no room.</exception>
    private void Reserve(int more)
    {
        long length = _bytes.Length + more;
        _accepted?.CheckLength(length);
        if (budget is null || length <= Math.Max(_reservation?.Bytes ?? 0, ResponseBudget.Small)) return;
        long bytes = (length + ResponseBudget.Small - 1) / ResponseBudget.Small * ResponseBudget.Small;
        bool hasRoom = _reservation is null ? (_reservation = budget.TryTake(context, bytes)) is not null : _reservation.TryResize(bytes);
        if (hasRoom) return;
        IsFull = true;
        throw new IOException("There is no room for the response: other clients have not read theirs yet.");
    }
}
