using PoolApi.Threading;

namespace PoolApi.Jobs;

/// <summary>A job that is to be accepted.</summary>
internal sealed record NewJob
{
    /// <summary>Its name, a version 7 UUID.</summary>
    public Guid Id { get; init; } = JobId.Next();

    /// <inheritdoc cref="Job.Kind"/>
    public required string Kind { get; init; }

    /// <inheritdoc cref="Job.Client"/>
    public string? Client { get; init; }

    /// <inheritdoc cref="Job.Priority"/>
    public WorkPriority Priority { get; init; }

    /// <inheritdoc cref="Job.Tags"/>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>It is not begun before; <see langword="null"/>: at once.</summary>
    public DateTimeOffset? RunAt { get; init; }

    /// <summary>How long after it is due it must have ended; <see langword="null"/>: whenever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <inheritdoc cref="Job.MaxAttempts"/>
    public int MaxAttempts { get; init; } = 1;

    /// <summary>What is to be run.</summary>
    public required JobPayload Payload { get; init; }

    /// <summary>The client's own name for this request, and what it must be equal in; <see langword="null"/>: it is new whatever came before.</summary>
    public IdempotencyKey? Idempotency { get; init; }
}

/// <summary>A client's own name for a request: the same key of the same client means the same job.</summary>
/// <param name="Key">What the client sent.</param>
/// <param name="Fingerprint">A hash of the request; another one under the same key is another request, and refused.</param>
internal sealed record IdempotencyKey(string Key, ReadOnlyMemory<byte> Fingerprint);

/// <summary>What became of a job that was to be accepted.</summary>
/// <param name="Outcome">Whether it is new.</param>
/// <param name="Job">The job: the new one as it was accepted, or the one that has the key.</param>
/// <param name="Claim">The new one's claim, if it was claimed as well. It runs by now.</param>
internal readonly record struct JobAcceptance(AcceptOutcome Outcome, Job Job, JobClaim? Claim = null);

/// <summary>Whether a job was new.</summary>
internal enum AcceptOutcome
{
    /// <summary>It is committed to the disk.</summary>
    Created,

    /// <summary>There was one under the same key, of the same request.</summary>
    Existing,

    /// <summary>There was one under the same key, of another request: nothing was stored.</summary>
    OtherRequest,
}
