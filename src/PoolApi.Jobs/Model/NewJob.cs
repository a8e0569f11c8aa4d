using PoolApi.Threading;

namespace PoolApi.Jobs;

/// <summary>A job to accept.</summary>
internal sealed record NewJob
{
    /// <summary>The id, a version 7 UUID. Default: the next of <see cref="JobId"/>.</summary>
    public Guid Id { get; init; } = JobId.Next();

    /// <inheritdoc cref="Job.Kind"/>
    public required string Kind { get; init; }

    /// <inheritdoc cref="Job.Client"/>
    public string? Client { get; init; }

    /// <inheritdoc cref="Job.Priority"/>
    public WorkPriority Priority { get; init; }

    /// <inheritdoc cref="Job.Tags"/>
    public IReadOnlyList<string> Tags
    {
        get;
        init => field = value.Count < 2 ? value : [.. value.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    } = [];

    /// <summary>The job does not start before this time; <see langword="null"/>: it is due at once.</summary>
    public DateTimeOffset? RunAt { get; init; }

    /// <summary>The time within which the job must end after it is due; <see langword="null"/>: it has no deadline.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <inheritdoc cref="Job.MaxAttempts"/>
    public int MaxAttempts { get; init; } = 1;

    /// <summary>The work to run.</summary>
    public required JobPayload Payload { get; init; }

    /// <summary>The idempotency key; <see langword="null"/>: the job is always new.</summary>
    public IdempotencyKey? Idempotency { get; init; }
}

/// <summary>An idempotency key: requests of one client with the same key get the same job.</summary>
/// <param name="Key">The key that the client sent.</param>
/// <param name="Fingerprint">A hash of the request. A request with the same key and another fingerprint is refused.</param>
internal sealed record IdempotencyKey(string Key, ReadOnlyMemory<byte> Fingerprint);

/// <summary>The result of accepting a job.</summary>
/// <param name="Outcome">Whether the job is new.</param>
/// <param name="Job">The new job, or the existing job with the same key.</param>
/// <param name="Claim">The claim of the new job, if it was claimed in the same transaction.</param>
internal readonly record struct JobAcceptance(AcceptOutcome Outcome, Job Job, JobClaim? Claim = null);

/// <summary>The outcome of accepting a job.</summary>
internal enum AcceptOutcome
{
    /// <summary>The job is new and committed to disk.</summary>
    Created,

    /// <summary>A job with the same key and fingerprint exists.</summary>
    Existing,

    /// <summary>A job with the same key and another fingerprint exists. Nothing was stored.</summary>
    OtherRequest,
}
