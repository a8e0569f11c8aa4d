using PoolApi.Threading;

namespace PoolApi.Jobs;

/// <summary>The state of a job in its store at one moment, without the payload and the result. Immutable.</summary>
public sealed record Job
{
    /// <summary>The job's id: a version 7 UUID, so that ids sort in the order of acceptance. It never changes.</summary>
    public required Guid Id { get; init; }

    /// <summary>The kind of work, such as <c>thumbnails</c>. It names the handler or endpoint that runs the job.</summary>
    public required string Kind { get; init; }

    /// <summary>The name of the client that the job belongs to; <see langword="null"/>: it belongs to no client.</summary>
    public string? Client { get; init; }

    /// <summary>The job's state.</summary>
    public required JobState State { get; init; }

    /// <summary>The version, which grows with every visible change of the job. From 1.</summary>
    public required long Version { get; init; }

    /// <summary>The number of attempts that have begun, including a running one. Attempts that were handed back do not count.</summary>
    public int Attempt { get; init; }

    /// <summary>The most attempts that the job may have, at least 1.</summary>
    public int MaxAttempts { get; init; } = 1;

    /// <summary>The priority. Of the jobs that are due, the highest is claimed first.</summary>
    public WorkPriority Priority { get; init; }

    /// <summary>The client's own words to find the job by, sorted and without duplicates.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>When the job was accepted, by the store's clock.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The job does not start before this time.</summary>
    public required DateTimeOffset RunAt { get; init; }

    /// <summary>The job expires if it has not ended by this time; <see langword="null"/>: it has no deadline.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>When the latest attempt was claimed.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the job reached a final state.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>The progress of the running attempt, 0 to 1; <see langword="null"/> if it reports none.</summary>
    public double? Progress { get; init; }

    /// <summary>The instance that runs the job or ran it last.</summary>
    public string? Worker { get; init; }

    /// <summary>The error of the latest attempt that ended; <see langword="null"/> if none has ended or it succeeded.</summary>
    public JobError? Error { get; init; }

    /// <summary>Whether the cancellation of the running job was requested and its instance has not ended it yet.</summary>
    public bool IsCancelRequested { get; init; }

    /// <summary>The past attempts (<see cref="PastAttempt"/>), the oldest first, at most <see cref="PastAttempts.Most"/>.</summary>
    internal IReadOnlyList<PastAttempt> Earlier { get; init; } = [];

    /// <summary>
    /// The time that the lease of a running job still lasts, by the store's clock, when the store returned the job. <see langword="null"/>: the
    /// job does not run, or the store has not reported the time.
    /// </summary>
    internal TimeSpan? LeaseLeft { get; init; }
}

/// <summary>An error of a job, in words for the client. It never has the text of an exception.</summary>
/// <param name="Name">The problem's name, such as <c>work-failed</c>.</param>
/// <param name="Detail">What is wrong and what the client can do.</param>
public sealed record JobError(string Name, string Detail)
{
    /// <summary>The job did not end before its deadline.</summary>
    internal static JobError Expired { get; } = new("expired", "It did not end within its timeout. Retry it, or give it more time.");

    /// <summary>The instance died more than MaxRedeliveries times while this was its only job.</summary>
    internal static JobError Poison { get; } = new(
        "poison", "The process died too often while it ran this job and no other, so the job is not retried automatically. Find the cause before you retry it.");
}
