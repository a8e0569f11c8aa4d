namespace PoolApi.Jobs.Stores;

/// <summary>
/// The contract of a store of jobs. When an acceptance, an end, a hand-back, a cancellation or a retry returns, it is on disk and survives the end of
/// the process, the database and the machine. Claims, renewals and progress are committed, but a crash of the database may undo them.
/// </summary>
/// <remarks>
/// <para>One suite of tests holds every store to this contract. Thread-safe. Concurrent calls share commits, so many concurrent callers cost
/// little more than one.</para>
/// <para>All times are of the store's own clock, one for all instances.</para>
/// <para>Every method throws <see cref="JobStoreUnavailableException"/> if the store cannot be reached, is full, does not answer in time, or is
/// disposed of. Usually the call has then changed nothing. But a change whose response was lost may have been committed, or may be committed
/// later. <see cref="FinishAsync"/> can be repeated, and the store undoes a claim whose response was lost. A cancelled call may have been
/// committed too.</para>
/// </remarks>
internal interface IJobStore : IAsyncDisposable
{
    /// <summary>Receives the changes. Set before <see cref="OpenAsync"/>. Default: none.</summary>
    IJobStoreListener? Listener { get; set; }

    /// <summary>
    /// Whether other instances may use the same store, so that one of them may die and leave running jobs. If not, every job that is
    /// <see cref="JobState.Running"/> when the store is opened was left by the previous process, and its lease ends at once.
    /// </summary>
    bool IsShared { get; }

    /// <summary>
    /// Whether the listener also receives the changes of other instances. If not, watchers query them with <see cref="FindChangedAsync"/>.
    /// </summary>
    bool ReportsRemoteChanges => true;

    /// <summary>Opens the store and upgrades its schema. Safe if several instances do so concurrently.</summary>
    /// <exception cref="JobStoreException">The store cannot be opened. The message says what is wrong and what to do.</exception>
    Task OpenAsync(CancellationToken cancellation);

    /// <summary>The location of the store in words for the operator, without secrets: "Jobs are kept in …".</summary>
    string Location => GetType().Name;

    /// <summary>
    /// Accepts a job. When it returns <see cref="AcceptOutcome.Created"/>, the job is committed. Of all calls with the same client and key,
    /// concurrent or not, exactly one creates a job.
    /// </summary>
    ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation);

    /// <summary>
    /// Accepts a job and, if it is new and due, claims it in the same transaction. Saves a transaction for an instance with a free worker. A store
    /// that does not support it only accepts the job.
    /// </summary>
    /// <param name="job">The job.</param>
    /// <param name="owner">The instance's name.</param>
    /// <param name="lease">The length of the lease, within which no other instance may claim the job.</param>
    /// <param name="cancellation">Cancels the call.</param>
    ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation) =>
        AcceptAsync(job, cancellation);

    /// <summary>
    /// Claims due jobs of all instances, by priority and then by the time since they are due. Each claimed job becomes
    /// <see cref="JobState.Running"/> under a lease of this owner, and its attempt is counted. Two calls never claim the same job. Jobs past their
    /// deadline are not claimed.
    /// </summary>
    /// <remarks>
    /// Jobs are claimed in order while their bodies together fit into <paramref name="maxBytes"/>. The first job that does not fit ends the claim.
    /// A claim includes small bodies (<see cref="BodyLimits"/>). Large ones are read after it (<see cref="ReadBodyAsync"/>).
    /// </remarks>
    /// <param name="owner">The instance's name.</param>
    /// <param name="max">The most jobs to claim, 1 or more.</param>
    /// <param name="maxBytes">The most bytes that their bodies may have together, 0 or more.</param>
    /// <param name="lease">The length of the leases.</param>
    /// <param name="kinds">
    /// The kinds to claim. Jobs of other kinds do not count as due, but may determine <see cref="JobClaims.NextDue"/>. A suspect that must run
    /// alone pauses the claims of all kinds.
    /// </param>
    /// <param name="cancellation">Cancels the call.</param>
    ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation);

    /// <summary>Reads the body of a claim that does not include it (<see cref="JobClaim.UnreadBytes"/>).</summary>
    /// <returns>The body; <see langword="null"/> if it is deleted, which means that the claim is lost.</returns>
    ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation);

    /// <summary>
    /// Ends the attempt of a claim. A job that is to be tried again is cancelled instead if its cancellation was requested.
    /// </summary>
    /// <returns>
    /// <see langword="false"/> if the claim is lost and nothing was written. A repeated call returns <see langword="true"/>, unless the job was
    /// claimed or retried since.
    /// </returns>
    ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation);

    /// <summary>
    /// Hands claims back: the jobs are queued and due as if they had not been claimed, and the attempts do not count. A job whose cancellation was
    /// requested is cancelled instead, and its attempt counts. Lost claims are ignored.
    /// </summary>
    ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation);

    /// <summary>Renews the leases of claims, also leases that have run out if maintenance has not redelivered the job since.</summary>
    /// <returns>The state of each claim, in order.</returns>
    ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation);

    /// <summary>Writes the progress of a claim's attempt. Does nothing if the claim is lost.</summary>
    ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation);

    /// <summary>Reads a job.</summary>
    /// <returns>The job; <see langword="null"/> if there is none.</returns>
    ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation);

    /// <summary>
    /// Finds the jobs that have another version than the given one or are deleted. One operation, which costs next to nothing if no job has
    /// changed. Used only if the store does not report the changes of other instances (<see cref="ReportsRemoteChanges"/>).
    /// </summary>
    /// <param name="known">The jobs, each with the version that the caller knows.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <returns>The indexes of these jobs in the list.</returns>
    ValueTask<IReadOnlyList<int>> FindChangedAsync(IReadOnlyList<KnownVersion> known, CancellationToken cancellation) =>
        throw new NotSupportedException("This store reports every change to its listener.");

    /// <summary>Reads a job and its result.</summary>
    /// <param name="id">The job.</param>
    /// <param name="maxBytes">The largest body to read. A larger one is left out, see <see cref="JobWithResult.UnreadBytes"/>.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <returns>
    /// <see langword="null"/> if there is no such job. The result is <see langword="null"/> if the job has none or is past its retention.
    /// </returns>
    ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation);

    /// <summary>Reads the payload of a job.</summary>
    /// <param name="id">The job.</param>
    /// <param name="maxBytes">The largest body to read. A larger one is left out, see <see cref="StoredPayload.UnreadBytes"/>.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <returns><see langword="null"/> if there is no such job, or the job is past its retention.</returns>
    ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation);

    /// <summary>
    /// Finds the jobs of all clients that were accepted with an idempotency key, the newest first, at most <see cref="MostOfKey"/>. For operators:
    /// it costs one or two seeks for each client.
    /// </summary>
    ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation);

    /// <summary>How many jobs <see cref="FindByKeyAsync"/> finds.</summary>
    const int MostOfKey = 100;

    /// <summary>Reads a page of jobs. The cost does not depend on the number of jobs, unless the store has no index for several filters together.</summary>
    ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation);

    /// <summary>
    /// Cancels a job. A queued job is cancelled at once. For a running job its instance is notified, and the job stays
    /// <see cref="JobState.Running"/> until its attempt has ended. A job that has ended is not changed.
    /// </summary>
    /// <returns>The job before and after; <see langword="null"/> if there is none.</returns>
    ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation);

    /// <summary>
    /// Queues a failed, cancelled or expired job again as if it were new: due at once, with all its attempts and its whole timeout. A job in another
    /// state, or past its retention, is not changed.
    /// </summary>
    /// <returns>The job before and after; <see langword="null"/> if there is none.</returns>
    ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation);

    /// <summary>
    /// Runs one round of maintenance: expires queued jobs past their deadline, redelivers running jobs whose lease has run out (or fails them as
    /// poison, or cancels them if that was requested), and sweeps jobs past their retention. It uses small transactions, and skips jobs that other
    /// instances maintain at the same time. A failure to sweep does not fail the round: <see cref="MaintenanceReport.SweepFault"/>.
    /// </summary>
    ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation);

    /// <summary>
    /// Checks that the store can be used, for the readiness check. Cheap enough for every probe. A full disk does not fail the check, because the
    /// store can still be read.
    /// </summary>
    async ValueTask CheckAsync(CancellationToken cancellation) => await GetAsync(Guid.Empty, cancellation);

    /// <summary>Counts the jobs in each state. The counts may be some seconds old.</summary>
    ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation);
}

/// <summary>A job and its result.</summary>
/// <param name="Job">The job.</param>
/// <param name="Result">The result; <see langword="null"/> if there is none.</param>
/// <param name="IsSwept">Whether the job is past its retention, so that its result is deleted.</param>
internal sealed record JobWithResult(Job Job, JobResult? Result, bool IsSwept)
{
    /// <summary>The length of the result's body if it was larger than the given limit and was not read; otherwise 0.</summary>
    public long UnreadBytes { get; init; }
}

/// <summary>The payload of a job, with or without its body.</summary>
/// <param name="Payload">The payload.</param>
/// <param name="UnreadBytes">The length of the body if it was larger than the given limit and was not read; otherwise 0.</param>
internal sealed record StoredPayload(JobPayload Payload, long UnreadBytes);

/// <summary>A job before and after a requested change.</summary>
/// <param name="Before">The state before.</param>
/// <param name="After">The job after. It is unchanged if the change was not possible.</param>
internal sealed record JobTransition(JobState Before, Job After);

/// <summary>A version of a job that a caller knows.</summary>
/// <param name="Id">The job.</param>
/// <param name="Version">Its version.</param>
internal readonly record struct KnownVersion(Guid Id, long Version);
