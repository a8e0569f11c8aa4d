using PoolApi.Threading;

namespace PoolApi.Jobs.Sqlite;

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

    /// <summary>By the store's own time, as all that follow here.</summary>
    public DateTimeOffset? Lease { get; set; }

    /// <summary>Since when it is due, or from when on; <see langword="null"/>: when the machine's clock shows <see cref="RunAt"/>.</summary>
    public DateTimeOffset? Due { get; set; }

    public DateTimeOffset? Expires { get; set; }

    public DateTimeOffset? Ended { get; set; }

    /// <summary>At so many deaths of an instance it ran, and it has not ended an attempt since.</summary>
    public int Suspicion { get; set; }

    /// <summary>At so many of them no other job ran there.</summary>
    public int Deaths { get; set; }

    /// <summary>Its instance has died, and other jobs ran there.</summary>
    public bool IsAccompanied { get; set; }

    /// <summary>Its instance claims no other job before.</summary>
    public DateTimeOffset? AloneUntil { get; set; }

    /// <summary>The last claim that was taken for a dead instance's.</summary>
    public long LostClaim { get; set; }

    /// <summary>That claim counts among <see cref="Deaths"/>.</summary>
    public bool WasLostAlone { get; set; }

    /// <summary>The attempts before the latest one.</summary>
    public IReadOnlyList<PastAttempt> Earlier { get; set; } = [];

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
        AloneUntil = null;
    }

    /// <summary>Keeps the attempt that is running, which ends now and is not the job's last.</summary>
    public void Keep(PastOutcome outcome, Batch batch, JobError? error = null) =>
        Earlier = PastAttempts.Add(Earlier, new PastAttempt(Attempt, StartedAt, batch.Now, Worker, outcome, error));

    /// <summary>Its instance has died, or is taken for dead.</summary>
    public void Lose(Batch batch)
    {
        Keep(PastOutcome.Lost, batch);
        Queue();
        Redeliveries++;
        Suspicion++;
        LostClaim = Claim;
        WasLostAlone = !IsAccompanied;
        if (WasLostAlone) Deaths++;
    }

    /// <summary>The instance of a claim that was lost lives after all: that was no death.</summary>
    /// <returns>Whether anything has changed.</returns>
    public bool Acquit(long claim)
    {
        if (LostClaim != claim || LostClaim == 0 || State.IsFinal()) return false;
        LostClaim = 0;
        Suspicion = Math.Max(0, Suspicion - 1);
        if (WasLostAlone) Deaths--;
        return true;
    }

    /// <summary>The job has ended.</summary>
    public void End(JobState state, Batch batch, JobError? error)
    {
        State = state;
        FinishedAt = batch.Now;
        Ended = batch.Steady;
        Suspicion = 0;
        AloneUntil = null;
        Error = error;
        Progress = null;
        Lease = null;
        IsCancelRequested = false;
    }

    /// <param name="steady">The store's own time.</param>
    public Job ToJob(DateTimeOffset steady) => new()
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
        Earlier = Earlier,
        LeaseLeft = State == JobState.Running ? Lease - steady : null,
    };
}
