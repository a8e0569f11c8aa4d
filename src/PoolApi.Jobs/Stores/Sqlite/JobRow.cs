using PoolApi.Threading;

namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>A job as the file has it: to be read, changed and saved within one transaction (<see cref="JobTable"/>).</summary>
internal sealed class JobRow
{
    public required Guid Id { get; init; }

    public required string Kind { get; init; }

    public string? Client { get; init; }

    public required JobState State { get; set; }

    public long Version { get; set; } = 1;

    public int Attempt { get; set; }

    public int MaxAttempts { get; init; } = 1;

    public WorkPriority Priority { get; init; }

    public IReadOnlyList<string> Tags { get; init; } = [];

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset RunAt { get; set; }

    public TimeSpan? Timeout { get; init; }

    public DateTimeOffset? Deadline { get; set; }

    public DateTimeOffset? StartedAt { get; set; }

    public DateTimeOffset? FinishedAt { get; set; }

    public double? Progress { get; set; }

    public string? Worker { get; set; }

    public JobError? Error { get; set; }

    public bool IsCancelRequested { get; set; }

    /// <summary>How often it was claimed: never less again, or a claim of old would be taken for a new one.</summary>
    public long Claim { get; set; }

    /// <summary>The claim that was finished last: it is told so again, if it asks.</summary>
    public long EndedClaim { get; set; }

    public int Redeliveries { get; set; }

    public DateTimeOffset? Lease { get; set; }

    public long? Payload { get; set; }

    public long? Result { get; set; }

    public string? IdempotencyKey { get; init; }

    public bool IsSwept { get; set; }

    /// <summary>The state that is in the file until this row is saved.</summary>
    public JobState StoredState { get; set; }

    public bool IsHeldBy(JobClaim claim) => State == JobState.Running && Claim == claim.Number;

    /// <summary>The attempt is over, or there was none: its job is queued again.</summary>
    public void Queue()
    {
        State = JobState.Queued;
        Progress = null;
        Lease = null;
    }

    /// <summary>The job has ended.</summary>
    public void End(JobState state, DateTimeOffset now, JobError? error)
    {
        State = state;
        FinishedAt = now;
        Error = error;
        Progress = null;
        Lease = null;
        IsCancelRequested = false;
    }

    public Job ToJob() => new()
    {
        Id = Id,
        Kind = Kind,
        Client = Client,
        State = State,
        Version = Version,
        Attempt = Attempt,
        MaxAttempts = MaxAttempts,
        Priority = Priority,
        Tags = Tags,
        CreatedAt = CreatedAt,
        RunAt = RunAt,
        Deadline = Deadline,
        StartedAt = StartedAt,
        FinishedAt = FinishedAt,
        Progress = Progress,
        Worker = Worker,
        Error = Error,
        IsCancelRequested = IsCancelRequested,
    };
}
