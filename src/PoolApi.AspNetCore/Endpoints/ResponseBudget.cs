using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The budget for responses that are held in memory while their clients read them. One for each app, as large as the budget for bodies of queued requests
/// (<see cref="PoolOptions.QueueBytes"/> of its first pool). Thread-safe.
/// </summary>
/// <remarks>
/// <code>
///   TryTake ─► the response is created or read ─► sent in pieces ─► the reservation is disposed of
///      └ null: 503, before the response is read from its store
/// </code>
/// A response that fits into the server's own buffer of a connection needs no budget: <see cref="Small"/>. A response that is larger than
/// the whole budget gets its bytes only while no other response holds any. Until it is sent, no other response gets bytes.
/// </remarks>
public sealed class ResponseBudget
{
    /// <summary>The largest response that fits into the server's buffer of a connection, in bytes.</summary>
    public const int Small = 64 * 1024;

    private readonly ByteBudget _bytes;

    /// <summary>Creates a budget.</summary>
    /// <param name="limit">How many bytes may be held at a time.</param>
    public ResponseBudget(long limit) => _bytes = new ByteBudget(limit);

    /// <summary>
    /// How long a client may take for each 64 KiB of a response before its connection is aborted, or <see cref="Timeout.InfiniteTimeSpan"/>: any
    /// time, and at any rate. Default: 15 seconds.
    /// </summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The bytes per second that a client must read on average; <see cref="StallTimeout"/> is added once. So a response of n bytes is
    /// held for at most <c>StallTimeout + n / MinimumRate</c>. Default: 32 KiB.
    /// </summary>
    public double MinimumRate { get; init; } = 32 * 1024;

    /// <summary>The bytes that are held now: more than <see cref="Limit"/> while a larger response is held alone.</summary>
    public long Used => _bytes.Used;

    /// <summary>How many bytes may be held at a time.</summary>
    public long Limit => _bytes.Limit;

    internal TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Creates the stream to which a response of this budget is written.</summary>
    internal PacedStream Pace(HttpContext context) => new(context.Response.Body, context, StallTimeout, MinimumRate, Time);

    internal void Return(long bytes) => _bytes.Return(bytes);

    /// <param name="bytes">The bytes to take.</param>
    /// <param name="held">What the same response holds already.</param>
    internal bool TryTake(long bytes, long held) => _bytes.TryTakeOrAlone(bytes, held);

    /// <summary>Takes bytes for the response of a request. They are given back by the reservation, or at the end of the request.</summary>
    /// <returns>The reservation; <see langword="null"/> if the budget is used up.</returns>
    public ResponseReservation? TryTake(HttpContext context, long bytes)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (!TryTake(bytes, held: 0)) return null;
        var reservation = new ResponseReservation(this, bytes);
        context.Response.RegisterForDispose(reservation);
        return reservation;
    }
}
