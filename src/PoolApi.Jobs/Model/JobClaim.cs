namespace PoolApi.Jobs;

/// <summary>An attempt that an instance has taken on: nobody else runs the job while its lease lasts.</summary>
/// <param name="Job">The job, running.</param>
/// <param name="Payload">What is to be run.</param>
/// <param name="Number">
/// Counts the job's claims. What an instance writes of a job carries it; if the job has been claimed again since, nothing is
/// written: a lease that ran out cannot end a job twice.
/// </param>
/// <param name="Redeliveries">How often an instance died with it, or lost its lease.</param>
/// <param name="IsFirst">Nobody has claimed the job before.</param>
internal sealed record JobClaim(Job Job, JobPayload Payload, long Number, int Redeliveries, bool IsFirst)
{
    /// <summary>
    /// How long it was at the claim until the job's deadline; <see langword="null"/>: it has none. Not the difference of two times of
    /// day: between them the clock may have been set.
    /// </summary>
    public TimeSpan? TimeLeft { get; init; }

    /// <summary>
    /// The length of a body that the claim has come without, since it is large: <see cref="Stores.IJobStore.ReadBodyAsync"/> reads it.
    /// 0: the payload has its body.
    /// </summary>
    public long UnreadBytes { get; init; }

    /// <summary>The bytes that the body takes in memory, once it has been read.</summary>
    public long BodyBytes => UnreadBytes + Payload.Body.Length;

    /// <summary>The claim without its body, which can then be collected.</summary>
    public JobClaim WithoutBody() => this with { Payload = Payload.WithBody(default), UnreadBytes = 0 };
}

/// <summary>What was claimed, and when to ask again.</summary>
/// <param name="Claims">The jobs; fewer than asked for when no more are due.</param>
/// <param name="NextDue">
/// If none was due, how long until the next queued job is; <see langword="null"/> if none is queued. What is past its deadline
/// does not count. Not told, so <see langword="null"/>, if some were claimed: ask again.
/// </param>
/// <param name="IsPaused">The store gives out nothing for now, whatever is due; <paramref name="NextDue"/> says for how long.</param>
/// <param name="IsOutOfBytes">A job that is due was left, since its body did not fit into the bytes that were given.</param>
internal sealed record JobClaims(IReadOnlyList<JobClaim> Claims, TimeSpan? NextDue, bool IsPaused = false, bool IsOutOfBytes = false);

/// <summary>What became of a claim when its lease was to be renewed.</summary>
internal enum LeaseState
{
    /// <summary>It lasts on.</summary>
    Held,

    /// <summary>It lasts on, and somebody wants the job cancelled.</summary>
    CancelRequested,

    /// <summary>The job is no longer this claim's: stop, and write nothing.</summary>
    Lost,
}
