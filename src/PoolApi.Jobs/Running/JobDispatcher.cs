using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <summary>Claims jobs from the store as workers become free, runs each attempt to its end, and renews the leases.</summary>
/// <remarks>
/// <code>
///   Start ─► claiming ──Close──► closed: claims no job, hands back jobs that have not started ──StopAsync──► stopped
/// </code>
/// <para>Two asynchronous flows. The claiming flow sleeps until a job may be due or a worker becomes idle. The maintenance flow renews leases and
/// makes the store expire, redeliver and sweep jobs. While no job is queued or runs, the claiming flow has no timer. Maintenance then wakes three
/// times within a lease, and at least once a minute. If other instances share the store, one of them may have died, so maintenance always wakes
/// six times within a lease. It wakes at least four times within the retention.</para>
/// <para>Neither flow wakes the other unconditionally. Maintenance makes the claiming flow query the store once a round. The claiming flow makes
/// rounds more frequent only while jobs are known to be queued (<see cref="DueJobs"/>).</para>
/// <para>The dispatcher claims only jobs that a worker can take soon: as many as there are free workers. If no worker is free, it claims one job
/// at a time by the jobs' share of the workers (<see cref="JobShare"/>), and that job goes before the items that are queued in the pool. A job
/// that is accepted here while a worker is free and no other job waits is claimed in the same transaction (<see cref="AcceptAsync"/>).</para>
/// </remarks>
internal sealed partial class JobDispatcher : IJobStoreListener, IAsyncDisposable
{
    private readonly IJobStore _store;
    private readonly IJobExecutor _executor;
    private readonly FixedThreadPool _pool;
    private IPoolAdmission Admission => _pool;
    private readonly JobWatch _watch;
    private readonly JobOptions _options;
    private readonly JobInstruments _instruments;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    private readonly KindFilter _kinds; // the kinds of jobs that run on this pool
    // The dispatchers for which this one maintains the store: all of this instance. null: another one does.
    private readonly Func<IEnumerable<JobDispatcher>>? _maintainsFor;
    private readonly JobDispatcher? _maintainer; // the one that does; null: this one does it
    private readonly ConcurrentDictionary<JobAttempt, bool> _attempts = new(); // the value: whether the job was claimed to run first
    private readonly PendingCancellations _pendingCancellations = new();
    private readonly Signal _due = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _stopped = new();
    private readonly JobShare _share;
    private readonly DueJobs _dueJobs;
    // Counts the bodies of claimed jobs until their attempts have ended, then their results until they are written. The size of a result is
    // known only when it is there, so the budget may be exceeded by one result for each worker. Nothing is claimed until it has room again.
    private readonly ByteBudget _bytesInHand;
    private int _waiting; // attempts that no worker has taken yet, and reservations
    private int _holding; // attempts that a worker has taken
    private long _noWorkerAt; // a timestamp: when a job that was to run first was handed back, since no worker was free
    private int _promptClaims; // requested prompt claims that are not made yet: jobs whose clients wait for the result
    private volatile bool _isClaiming; // a claim is under way, and free workers are reserved for it
    private Task _claiming = Task.CompletedTask;
    private Task _maintenance = Task.CompletedTask;

    /// <summary>Creates a dispatcher. It does nothing until <see cref="Start"/>.</summary>
    /// <param name="store">The store, not yet opened. The dispatcher becomes its listener.</param>
    /// <param name="executor">Runs the attempts.</param>
    /// <param name="pool">The pool on which the attempts run.</param>
    /// <param name="watch">Receives the changes.</param>
    /// <param name="options">The options.</param>
    /// <param name="instruments">The metrics.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public JobDispatcher(
        IJobStore store, IJobExecutor executor, FixedThreadPool pool, JobWatch watch, JobOptions options, JobInstruments instruments,
        TimeProvider time, ILogger<JobDispatcher> logger)
        : this(store, executor, pool, watch, options, instruments, time, logger, NewOwner(), KindFilter.All, maintainsFor: null)
    {
        _maintainsFor = () => [this];
        store.Listener = this;
    }

    /// <summary>Creates one of several dispatchers that share a store. Their owner is the store's listener and forwards the changes.</summary>
    internal JobDispatcher(
        IJobStore store, IJobExecutor executor, FixedThreadPool pool, JobWatch watch, JobOptions options, JobInstruments instruments,
        TimeProvider time, ILogger<JobDispatcher> logger, string owner, KindFilter kinds, Func<IEnumerable<JobDispatcher>>? maintainsFor,
        JobDispatcher? maintainer = null)
    {
        (Owner, _kinds, _maintainsFor, _maintainer) = (owner, kinds, maintainsFor, maintainer);
        (_store, _executor, _pool, _watch, _options, _instruments, _time, _logger) =
            (store, executor, pool, watch, options, instruments, time, new UnfailingLog(logger));
        _share = new JobShare(options.Share, pool.Workers, time);
        _dueJobs = new DueJobs(time);
        _bytesInHand = new ByteBudget(options.MemoryBytes);
    }

    /// <summary>The name of this instance in the store. It is new at each start.</summary>
    public string Owner { get; }

    /// <summary>Creates a name that is unique among all instances and all starts of an instance.</summary>
    internal static string NewOwner() => $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>The number of claimed jobs whose end is not written yet.</summary>
    public int AttemptCount => _attempts.Count;

    /// <summary>The attempts in hand.</summary>
    public IEnumerable<JobAttempt> Attempts => _attempts.Select(static attempt => attempt.Key);

    /// <summary>The bytes of the bodies and results of claimed jobs.</summary>
    public long BytesInHand => _bytesInHand.Used;

    /// <summary>The limit of <see cref="BytesInHand"/>; see <see cref="JobOptions.MemoryBytes"/>.</summary>
    public long MaxBytesInHand => _options.MemoryBytes;

    /// <summary>The fault of the last operation on the store; <see langword="null"/> if it succeeded.</summary>
    public string? StoreFault { get; private set; }

    /// <summary>Whether a failed write is not repeated any more. For tests.</summary>
    internal bool IsStopped => _stopped.IsCancellationRequested;

    /// <summary>Starts the two flows. The store must be open.</summary>
    public void Start()
    {
        _claiming = ClaimAsync();
        _maintenance = MaintainAsync();
    }

    /// <summary>
    /// Requests the claim of an accepted job whose client waits for the result. The job is claimed even if no worker is free, and
    /// is queued in the pool behind the requests that already wait.
    /// </summary>
    public void RequestPromptClaim()
    {
        Interlocked.Increment(ref _promptClaims);
        _due.Set();
    }

    /// <summary>
    /// Stops claiming. Jobs that no worker has taken are handed back at once, which does not count as an attempt. Running attempts continue.
    /// </summary>
    public void Close()
    {
        if (_closed.IsCancellationRequested) return;
        _closed.Cancel();
        foreach (JobAttempt attempt in _attempts.Keys)
        {
            if (!attempt.HasStarted) attempt.Stop(StopReason.Draining);
        }
    }

    /// <summary>Closes the dispatcher and waits until the end of every attempt is written.</summary>
    /// <param name="cancellation">
    /// Ends the wait for work that still runs, and the repetition of writes that fail. The leases of the remaining jobs run out, and they are run
    /// again.
    /// </param>
    /// <param name="cut">
    /// Ends the wait for writes under way too. The store limits the time of each, so this is for a process that must end now.
    /// </param>
    public async Task StopAsync(CancellationToken cancellation, CancellationToken cut = default)
    {
        Close();
        await _claiming.WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await AcceptancesEndAsync().WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Maintenance stops last, so that leases are renewed until the last attempt has ended.
        await AttemptsEndAsync().WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopped.CancelAsync();
        // After the write under way a job may need another one: its end after its progress, or its hand-back after its claim. The caller closes the
        // store next, and a closed store would refuse the second write.
        await _claiming.WaitAsync(cut).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await AcceptancesEndAsync().WaitAsync(cut).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await LastWritesEndAsync().WaitAsync(cut).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _maintenance.WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        await _stopped.CancelAsync();
        await Task.WhenAll(_claiming, _maintenance).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    void IJobStoreListener.Changed(JobChange change)
    {
        _watch.Changed(change);
        CancelIfAsked(change);
    }

    /// <summary>Stops the attempt of a job if the change is a request to cancel it.</summary>
    internal void CancelIfAsked(JobChange change)
    {
        if (!change.IsCancelRequested) return;
        _pendingCancellations.Add(change.Id, change.Version);
        foreach (JobAttempt attempt in _attempts.Keys)
        {
            if (IsOf(attempt, change.Version) && attempt.Claim.Job.Id == change.Id) attempt.Stop(StopReason.Cancelled);
        }
    }

    void IJobStoreListener.MayBeDue()
    {
        _dueJobs.Report();
        _due.Set();
    }

    void IJobStoreListener.MayHaveMissed()
    {
        _watch.MayHaveMissed();
        Requery();
    }

    /// <summary>Makes both flows query the store, because changes may have been missed.</summary>
    internal void Requery()
    {
        _dueJobs.Suspect();
        _due.Set();
        // Renewing the leases also reports which running jobs are to be cancelled.
        Interlocked.Exchange(ref _maintainNow, 1);
        _maintain.Set();
    }

    /// <summary>Whether a cancellation is for this attempt. A late notification may be for an earlier attempt of the job.</summary>
    private static bool IsOf(JobAttempt attempt, long version) => version > attempt.Claim.Job.Version;

    private void Begin(JobClaim claim, WorkPriority priority, bool goesFirst)
    {
        _bytesInHand.Take(claim.BodyBytes);
        var attempt = new JobAttempt(claim, priority, new ProgressReporter(_store, claim.WithoutBody(), _time), Started) { Held = claim.BodyBytes };
        // Another instance may have a free worker.
        if (goesFirst && _store.IsShared && claim.UnreadBytes == 0) attempt.StopUnlessStartedIn(LongestWait, _time);
        if (claim.TimeLeft is { } left) attempt.StopIn(left, _time);
        _attempts[attempt] = goesFirst;
        Interlocked.Increment(ref _waiting); // a full fence; pairs with the one in Pace
        MaintainOften();
        // Close and CancelIfAsked record their request before they look for the attempt, and this method adds it before it reads the requests.
        // So at least one of the two sees the other.
        if (_closed.IsCancellationRequested) attempt.Stop(StopReason.Draining);
        else if (claim.Job.IsCancelRequested || (_pendingCancellations.TryGet(claim.Job.Id, out long version) && IsOf(attempt, version))) attempt.Stop(StopReason.Cancelled);
        attempt.Completion = RunAsync(attempt, goesFirst);
    }

    private void Started(JobAttempt attempt)
    {
        Interlocked.Increment(ref _holding);
        if (_attempts.GetValueOrDefault(attempt)) _share.Started(); // before the next one may go first
        Interlocked.Decrement(ref _waiting);
        // Only one job at a time may wait to run first. Now the next one may.
        if (_dueJobs.MayBeDue || Volatile.Read(ref _promptClaims) > 0) _due.Set();
    }

    /// <summary>The lease that the store grants. It is shorter than <see cref="JobOptions.Lease"/>, which includes the time until another instance notices.</summary>
    private TimeSpan LeaseTime => _options.Lease * (2 / 3.0);

    private void StoreFails(Exception e)
    {
        if (StoreFault is null) LogStoreFails(e.Message, e is JobStoreException ? null : e);
        StoreFault = e.Message;
    }

    private void StoreWorks()
    {
        if (StoreFault is not null) LogStoreWorks();
        StoreFault = null;
    }
}
