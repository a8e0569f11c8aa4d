using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The bytes of answers that are held in memory while their clients read them. One for an app; as many as the bodies of waiting requests
/// may have (<see cref="PoolOptions.QueueBytes"/> of its first pool). Thread-safe.
/// </summary>
/// <remarks>
/// <code>
///   TryTake ─► the answer is made or read ─► sent in pieces ─► the lease is disposed of
///      └ null: 503, before the answer is read from where it is kept
/// </code>
/// An answer that fits into the server's own buffer of a connection needs none: <see cref="Small"/>.
/// </remarks>
public sealed class AnswerBudget
{
    /// <summary>An answer up to this length is the server's, whose buffer for a connection it fits into.</summary>
    public const int Small = 64 * 1024;

    private readonly ByteBudget _bytes;

    /// <summary>Makes one.</summary>
    /// <param name="limit">How many bytes may be held at a time.</param>
    public AnswerBudget(long limit) => _bytes = new ByteBudget(limit);

    /// <summary>How long a client may take for each 64 KiB of an answer; then its connection is cut. Default: 15 seconds.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The bytes per second that a client must take on average, once it has had the time of one piece more. So an answer of n bytes is
    /// held for <c>StallTimeout + n / MinimumRate</c> at most. Default: 32 KiB.
    /// </summary>
    public double MinimumRate { get; init; } = 32 * 1024;

    /// <summary>How many bytes are held now.</summary>
    public long Used => _bytes.Used;

    /// <summary>How many bytes may be held at a time.</summary>
    public long Limit => _bytes.Limit;

    internal TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The stream that an answer of this budget is written to.</summary>
    internal PacedStream Pace(HttpContext context) => new(context.Response.Body, context, StallTimeout, MinimumRate, Time);

    internal void Return(long bytes) => _bytes.Return(bytes);

    internal bool TryTake(long bytes) => _bytes.TryTake(bytes);

    /// <summary>Takes bytes for the answer to a request. The request's end gives them back, if nobody does before.</summary>
    /// <returns><see langword="null"/>: there is no room.</returns>
    public AnswerLease? TryTake(HttpContext context, long bytes)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (!TryTake(bytes)) return null;
        var lease = new AnswerLease(this, bytes);
        context.Response.RegisterForDispose(lease);
        return lease;
    }
}
