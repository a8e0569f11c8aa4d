using PoolApi.Threading;

namespace PoolApi.Jobs.Sqlite;

/// <summary>A row of the table of jobs, to be read, changed and saved within one transaction (<see cref="JobTable"/>). Not thread-safe.</summary>
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

    /// <summary>The number of claims so far. It never decreases, or an old claim could be taken for a new one.</summary>
    public long Claim { get; set; }

    /// <summary>The last claim that was finished. A repeated call for it succeeds.</summary>
    public long EndedClaim { get; set; }

    public int Redeliveries { get; set; }

    /// <summary>When the lease ends. This and the following times are steady times of the store.</summary>
    public DateTimeOffset? LeaseEnd { get; set; }

    /// <summary>When it became or becomes due; <see langword="null"/>: when the wall clock shows <see cref="RunAt"/>.</summary>
    public DateTimeOffset? Due { get; set; }

    public DateTimeOffset? Expires { get; set; }

    public DateTimeOffset? Ended { get; set; }

    /// <summary>The number of deaths of instances while it ran, since it last ended an attempt.</summary>
    public int Suspicion { get; set; }

    /// <summary>The number of those deaths at which no other job ran in the instance.</summary>
    public int Deaths { get; set; }

    /// <summary>Whether its instance died while other jobs ran there too.</summary>
    public bool IsAccompanied { get; set; }

    /// <summary>Until this time its instance claims no other job.</summary>
    public DateTimeOffset? AloneUntil { get; set; }

    /// <summary>The last claim whose instance was presumed dead.</summary>
    public long LostClaim { get; set; }

    /// <summary>Whether that claim was counted in <see cref="Deaths"/>.</summary>
    public bool WasLostAlone { get; set; }

    /// <summary>The past attempts (<see cref="PastAttempt"/>), the oldest first.</summary>
    public IReadOnlyList<PastAttempt> Earlier { get; set; } = [];

    public long? Payload { get; set; }

    public long? Result { get; set; }

    public string? IdempotencyKey { get; init; }

    public bool IsSwept { get; set; }

    /// <summary>The state in the file, until this row is saved.</summary>
    public JobState StoredState { get; set; }

    public bool IsHeldBy(JobClaim claim) => State == JobState.Running && Claim == claim.Number;

    /// <summary>Queues the job again, after an attempt or without one.</summary>
    public void Queue()
    {
        State = JobState.Queued;
        Progress = null;
        LeaseEnd = null;
        AloneUntil = null;
    }

    /// <summary>Appends the running attempt, which ends now, to the earlier ones.</summary>
    public void Keep(PastOutcome outcome, Batch batch, JobError? error = null) =>
        Earlier = PastAttempts.Add(Earlier, new PastAttempt(Attempt, StartedAt, batch.Now, Worker, outcome, error));

    /// <summary>Records that its instance died or is presumed dead.</summary>
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

    /// <summary>Withdraws the death that was counted for a lost claim, because its instance is alive.</summary>
    /// <returns>Whether anything has changed.</returns>
    public bool Acquit(long claim)
    {
        if (LostClaim != claim || LostClaim == 0 || State.IsFinal()) return false;
        LostClaim = 0;
        Suspicion = Math.Max(0, Suspicion - 1);
        if (WasLostAlone) Deaths--;
        return true;
    }

    /// <summary>Ends the job.</summary>
    public void End(JobState state, Batch batch, JobError? error)
    {
        State = state;
        FinishedAt = batch.Now;
        Ended = batch.Steady;
        Suspicion = 0;
        AloneUntil = null;
        Error = error;
        Progress = null;
        LeaseEnd = null;
        IsCancelRequested = false;
    }

    /// <param name="steady">The store's steady time.</param>
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
        LeaseLeft = State == JobState.Running ? LeaseEnd - steady : null,
    };
}
