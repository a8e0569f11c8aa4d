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

    /// <summary>How many bytes are held now.</summary>
    public long Used => _bytes.Used;

    /// <summary>Takes bytes for the answer to a request. The request's end gives them back, if nobody does before.</summary>
    /// <returns><see langword="null"/>: there is no room.</returns>
    public AnswerLease? TryTake(HttpContext context, long bytes)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (!_bytes.TryTake(bytes)) return null;
        var lease = new AnswerLease(_bytes, bytes, StallTimeout);
        context.Response.RegisterForDispose(lease);
        return lease;
    }
}
