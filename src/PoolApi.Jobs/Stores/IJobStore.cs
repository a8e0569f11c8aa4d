namespace PoolApi.Jobs.Stores;

/// <summary>
/// Where jobs are kept. What a method has returned is committed to the disk, and survives the end of the process, of the
/// database and of the machine.
/// </summary>
/// <remarks>
/// <para>One contract and one suite of tests for every store. Thread-safe. Concurrent calls share commits, so many callers at
/// once cost little more than one.</para>
/// <para>Times are by the store's own clock, one for all instances. Every method throws
/// <see cref="JobStoreUnavailableException"/> if the store cannot be reached, is full, or does not answer in time: then nothing
/// has been done, except that an acceptance or <see cref="FinishAsync"/> whose answer was lost may have been
/// (<see cref="FinishAsync"/> can be repeated; a claim that was lost with an acceptance is undone). A cancelled call may have been done as well.
/// After disposal every method throws it, too.</para>
/// </remarks>
internal interface IJobStore : IAsyncDisposable
{
    /// <summary>Is told of changes. Set before <see cref="OpenAsync"/>; none by default.</summary>
    IJobStoreListener? Listener { get; set; }

    /// <summary>
    /// Other instances may use the same store, so one of them may die and leave jobs behind. If not, what is
    /// <see cref="JobState.Running"/> when the store is opened was left by the process before: its lease is over, however long it was.
    /// </summary>
    bool IsShared { get; }

    /// <summary>
    /// The listener hears of what other instances change as well. If not, whoever waits for that asks (<see cref="FindChangedAsync"/>).
    /// </summary>
    bool TellsOfOthers => true;

    /// <summary>Opens the store and brings its schema up to date; safe when several instances do so at once.</summary>
    /// <exception cref="JobStoreException">It cannot be opened: the message says what is wrong and what to do.</exception>
    Task OpenAsync(CancellationToken cancellation);

    /// <summary>Where the jobs are, in words for the operator: "Jobs are kept in …". Without secrets.</summary>
    string Place => GetType().Name;

    /// <summary>
    /// Accepts a job: when it returns <see cref="AcceptOutcome.Created"/>, the job is committed. Of any number of calls with
    /// the same client and key, at once or one after another, exactly one creates.
    /// </summary>
    ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation);

    /// <summary>
    /// Accepts a job and, if it is new and due, claims it at once: both or neither. For who has nothing else to do, and saves
    /// the second transaction. A store that cannot do that only accepts.
    /// </summary>
    /// <param name="job">The job.</param>
    /// <param name="owner">The instance's name.</param>
    /// <param name="lease">How long nobody else may take it.</param>
    /// <param name="cancellation">Gives up.</param>
    ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation) =>
        AcceptAsync(job, cancellation);

    /// <summary>
    /// Takes on jobs that are due, whoever accepted them: those of the highest priority first, and among them the one that
    /// has been due longest. Each is then <see cref="JobState.Running"/>, its attempt counted, under a lease of this owner.
    /// Two calls, by whatever instances, never get the same job. What is past its deadline is not claimed.
    /// </summary>
    /// <remarks>
    /// Jobs are claimed in order while their bodies fit into <paramref name="maxBytes"/> together; the first that does not fit ends the
    /// claim. Small bodies come with it, see <see cref="BodyLimits"/>; a large one is read after it (<see cref="ReadBodyAsync"/>).
    /// </remarks>
    /// <param name="owner">The instance's name.</param>
    /// <param name="max">How many at most, 1 or more.</param>
    /// <param name="maxBytes">How many bytes their bodies may have together, 0 or more.</param>
    /// <param name="lease">How long nobody else may take them.</param>
    /// <param name="kinds">
    /// Which jobs: others are left, and are not told as due. They may be told as the next that will be. While a suspect is to run alone, it is waited for
    /// whatever its kind.
    /// </param>
    /// <param name="cancellation">Gives up.</param>
    ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation);

    /// <summary>Reads the body of a claim that has come without it (<see cref="JobClaim.UnreadBytes"/>).</summary>
    /// <returns>The body; <see langword="null"/> if it is gone, so that the job is not this claim's any more.</returns>
    ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation);

    /// <summary>
    /// Ends a claim's attempt. A job that is to be tried again, and that somebody wants cancelled, is cancelled instead.
    /// </summary>
    /// <returns>
    /// Whether it was still this claim's to end; if not, nothing was written. Repeated after it was done, it returns
    /// <see langword="true"/>, unless the job has been claimed or retried since.
    /// </returns>
    ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation);

    /// <summary>
    /// Hands claims back: the jobs are queued and due as if they had not been claimed, their attempts not counted. One that
    /// somebody wants cancelled is cancelled instead, by its attempt, which then counts. Claims that are lost already are left alone.
    /// </summary>
    ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation);

    /// <summary>Renews the leases of claims; also those that have run out, while nobody has tended the job since.</summary>
    /// <returns>For each claim, in order, what became of it.</returns>
    ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation);

    /// <summary>Notes how far a claim's attempt is. Without effect if the claim is lost.</summary>
    ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation);

    /// <summary>The job.</summary>
    /// <returns><see langword="null"/> if there is none.</returns>
    ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation);

    /// <summary>
    /// Which of some jobs have another version by now, or are gone. One operation, which costs next to nothing while nobody
    /// changes anything. Only for a store that does not tell of what others change (<see cref="TellsOfOthers"/>).
    /// </summary>
    /// <param name="known">The jobs, each with the version that the caller knows.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>Their places in the list.</returns>
    ValueTask<IReadOnlyList<int>> FindChangedAsync(IReadOnlyList<KnownVersion> known, CancellationToken cancellation) =>
        throw new NotSupportedException("The listener of this store hears of every change.");

    /// <summary>The job and its result.</summary>
    /// <param name="id">The job.</param>
    /// <param name="maxBytes">A result with a larger body comes without that: <see cref="JobWithResult.UnreadBytes"/>.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns><see langword="null"/> if there is no such job; no result if it has none, or it is past its retention.</returns>
    ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation);

    /// <summary>What a job is to run.</summary>
    /// <param name="id">The job.</param>
    /// <param name="maxBytes">A payload with a larger body comes without that: <see cref="StoredPayload.UnreadBytes"/>.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns><see langword="null"/> if there is no such job, or it is past its retention.</returns>
    ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation);

    /// <summary>
    /// The jobs that were accepted with an idempotency key, whatever their clients; newest first, at most <see cref="MostOfKey"/>. For people who
    /// look for one: it costs a look for each client that has jobs.
    /// </summary>
    ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation);

    /// <summary>How many jobs <see cref="FindByKeyAsync"/> finds.</summary>
    const int MostOfKey = 100;

    /// <summary>A page of jobs. Costs about the same however many there are.</summary>
    ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation);

    /// <summary>
    /// Cancels a job: at once if it is queued; if it runs, its instance is told, and the job stays
    /// <see cref="JobState.Running"/> until it has stopped. One that has ended is left alone.
    /// </summary>
    /// <returns>The job before and after; <see langword="null"/> if there is none.</returns>
    ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation);

    /// <summary>
    /// Queues a failed, cancelled or expired job again, as if it were new: due at once, with all its attempts and, if it has
    /// a deadline, as much time as it had. In another state, or past its retention, it is left alone.
    /// </summary>
    /// <returns>The job before and after; <see langword="null"/> if there is none.</returns>
    ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation);

    /// <summary>
    /// One round of maintenance: expires what is queued past its deadline, queues again what has lost its instance (or fails it
    /// as poison, or cancels it where that was asked for), and sweeps what is past its retention. In small transactions; what
    /// other instances maintain at the same time is left to them.
    /// </summary>
    ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation);

    /// <summary>
    /// Checks that the store can be used, so that an instance that cannot accept jobs is sent none. Cheap enough for every probe. A
    /// disk that is full fails no check: what the store has, it still answers for.
    /// </summary>
    async ValueTask CheckAsync(CancellationToken cancellation) => await GetAsync(Guid.Empty, cancellation);

    /// <summary>How many jobs are in each state; may be some seconds old.</summary>
    ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation);
}

/// <summary>A job and its result.</summary>
/// <param name="Job">The job.</param>
/// <param name="Result">Its result, if it has one.</param>
/// <param name="IsSwept">It is past its retention: the result it had is gone.</param>
internal sealed record JobWithResult(Job Job, JobResult? Result, bool IsSwept)
{
    /// <summary>The length of the result's body if that was not read, since it is larger than was asked for; otherwise 0.</summary>
    public long UnreadBytes { get; init; }
}

/// <summary>What a job is to run, as it is stored.</summary>
/// <param name="Payload">The payload.</param>
/// <param name="UnreadBytes">The length of the body if that was not read, since it is larger than was asked for; otherwise 0.</param>
internal sealed record StoredPayload(JobPayload Payload, long UnreadBytes);

/// <summary>A job before and after it was asked to change.</summary>
/// <param name="Before">The state it was in.</param>
/// <param name="After">The job as it is now; unchanged if it could not.</param>
internal sealed record JobTransition(JobState Before, Job After);

/// <summary>A version of a job that a caller knows.</summary>
/// <param name="Id">The job.</param>
/// <param name="Version">Its version.</param>
internal readonly record struct KnownVersion(Guid Id, long Version);
