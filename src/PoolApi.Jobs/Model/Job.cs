using PoolApi.Threading;

namespace PoolApi.Jobs;

/// <summary>A job as its store has it at one moment, without its payload and result. Immutable.</summary>
public sealed record Job
{
    /// <summary>Its name for ever: a version 7 UUID, so that jobs sort by when they came.</summary>
    public required Guid Id { get; init; }

    /// <summary>What kind of work it is, such as <c>thumbnails</c>: a name that does not change.</summary>
    public required string Kind { get; init; }

    /// <summary>Whose it is: a client's name; <see langword="null"/>: nobody's.</summary>
    public string? Client { get; init; }

    /// <summary>Where it is.</summary>
    public required JobState State { get; init; }

    /// <summary>Grows with every change of the job that can be seen. From 1.</summary>
    public required long Version { get; init; }

    /// <summary>How many attempts have been begun, the running one included; those that were handed back do not count.</summary>
    public int Attempt { get; init; }

    /// <summary>How many attempts it has, at least 1.</summary>
    public int MaxAttempts { get; init; } = 1;

    /// <summary>Which of those that are due is claimed first.</summary>
    public WorkPriority Priority { get; init; }

    /// <summary>Words of the client's own to find it by. In their order, each once.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>When it was accepted, by the store's clock.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>It is not begun before.</summary>
    public required DateTimeOffset RunAt { get; init; }

    /// <summary>It must have ended by then, or it expires; <see langword="null"/>: whenever.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>When the latest attempt was claimed.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it reached a final state.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>How far the running attempt is, 0 to 1, if it says so.</summary>
    public double? Progress { get; init; }

    /// <summary>The instance that has it or had it last.</summary>
    public string? Worker { get; init; }

    /// <summary>What went wrong in the latest attempt that ended; <see langword="null"/> if none has yet, or it succeeded.</summary>
    public JobError? Error { get; init; }

    /// <summary>Somebody wants it cancelled, and its instance has not done so yet.</summary>
    public bool IsCancelRequested { get; init; }

    /// <summary>The attempts before the latest one, the oldest first: at most <see cref="PastAttempts.Most"/>.</summary>
    internal IReadOnlyList<PastAttempt> Earlier { get; init; } = [];

    /// <summary>
    /// While it runs: how long its lease lasts yet, by the store's clock, at the moment when it was read. <see langword="null"/>: it does not
    /// run, or was not read but written.
    /// </summary>
    internal TimeSpan? LeaseLeft { get; init; }
}

/// <summary>What went wrong, in words for the client: never an exception's own.</summary>
/// <param name="Name">The problem's name, such as <c>work-failed</c>.</param>
/// <param name="Detail">What is wrong and what to do.</param>
public sealed record JobError(string Name, string Detail)
{
    /// <summary>It did not end before its deadline.</summary>
    internal static JobError Expired { get; } = new("expired", "It did not end within its timeout. Retry it, or give it more time.");

    /// <summary>Its instance died each time it ran.</summary>
    internal static JobError Poison { get; } = new(
        "poison", "The process that ran it died each time, so it is not begun again by itself. Look into why before you retry it.");
}
