namespace PoolApi.Jobs;

/// <summary>A claimed attempt of a job. No other instance runs the job while its lease lasts.</summary>
/// <param name="Job">The job, in the state Running.</param>
/// <param name="Payload">The work to run.</param>
/// <param name="Number">
/// The number of the job's claim: a fencing token. Every write of an instance carries it, and the store ignores the write if the job has been
/// claimed again since. So an instance whose lease ran out cannot end the job a second time.
/// </param>
/// <param name="Redeliveries">How often an instance died while it ran the job, or lost its lease.</param>
/// <param name="IsFirst">Whether this is the job's first claim.</param>
internal sealed record JobClaim(Job Job, JobPayload Payload, long Number, int Redeliveries, bool IsFirst)
{
    /// <summary>
    /// The time from the claim to the job's deadline; <see langword="null"/>: it has none. The store measures it, because the wall clock may be
    /// set in between.
    /// </summary>
    public TimeSpan? TimeLeft { get; init; }

    /// <summary>
    /// The length of a large body that the claim does not include, to be read with <see cref="Stores.IJobStore.ReadBodyAsync"/>. 0: the payload has
    /// its body.
    /// </summary>
    public long UnreadBytes { get; init; }

    /// <summary>The bytes that the body takes in memory when it is read.</summary>
    public long BodyBytes => UnreadBytes + Payload.Body.Length;

    /// <summary>The same claim without its body, so that the body can be garbage collected.</summary>
    public JobClaim WithoutBody() => this with { Payload = Payload.WithBody(default), UnreadBytes = 0 };
}

/// <summary>The result of a claim: the claimed jobs, and when to claim again.</summary>
/// <param name="Claims">The claims. Fewer than requested if no more jobs are due.</param>
/// <param name="NextDue">
/// If no job was due, the time until the next queued job is due; <see langword="null"/> if none is queued. Jobs past their deadline do not count.
/// If jobs were claimed it is <see langword="null"/>: claim again.
/// </param>
/// <param name="IsPaused">The store grants no claims for now, even if jobs are due: for the time <paramref name="NextDue"/>.</param>
/// <param name="IsOutOfBytes">A due job was not claimed because its body did not fit into the given bytes.</param>
internal sealed record JobClaims(IReadOnlyList<JobClaim> Claims, TimeSpan? NextDue, bool IsPaused = false, bool IsOutOfBytes = false);

/// <summary>The result of renewing the lease of a claim.</summary>
internal enum LeaseState
{
    /// <summary>The lease is renewed.</summary>
    Held,

    /// <summary>The lease is renewed, and the cancellation of the job was requested.</summary>
    CancelRequested,

    /// <summary>The lease is lost: the attempt must stop and write nothing.</summary>
    Lost,
}
