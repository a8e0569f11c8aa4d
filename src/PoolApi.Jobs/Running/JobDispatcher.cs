using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <summary>Takes jobs from the store as workers become free, sees each attempt to its end, and keeps the leases.</summary>
/// <remarks>
/// <code>
///   Start ─► claiming ──Close──► closed: nothing new is claimed, what has not started is handed back ──StopAsync──► stopped
/// </code>
/// <para>Two flows. One claims: it sleeps until it is told that a job may be due, that a worker has run out of work, or until the
/// next job's time. The other maintains: it renews leases, and lets the store expire, redeliver and sweep. While no job is in the
/// store's queue and none runs, the first has no timer and the second wakes three times within a lease, or six times where other
/// instances have the same store: one of them may have died. Neither wakes the other unconditionally: maintenance makes the
/// first ask the store once a round, and the first makes maintenance come sooner only while jobs are known to wait (<see cref="DueJobs"/>).</para>
/// <para>A job is claimed only when a worker can take it soon: as many as there are free workers; and when none is, one at a
/// time by the share that jobs can count on (<see cref="JobShare"/>), which goes into the pool before what waits there. One that is
/// accepted here while a worker is free and no other job waits is claimed as it is accepted (<see cref="AcceptAsync"/>).</para>
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
    private readonly ILogger<JobDispatcher> _logger;

    private readonly KindFilter _kinds; // of the jobs that run on this pool
    private readonly bool _maintains; // otherwise another dispatcher of this instance maintains the store
    private readonly ConcurrentDictionary<JobRun, bool> _runs = new(); // and whether it went first
    private readonly PendingCancellations _pendingCancellations = new();
    private readonly Signal _due = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _stopped = new();
    private readonly JobShare _share;
    private readonly DueJobs _queue;
    // The bodies of the jobs in hand until their attempts have ended, then their results until they are written. How large a result is, is
    // known only when it is there: it counts all the same, and nothing is claimed until there is room again. So the limit is exceeded at most
    // by one result for each worker.
    private readonly ByteBudget _bytes;
    private int _waiting; // runs that no worker has taken yet
    private int _holding; // runs that a worker has taken
    private long _leftAt; // a timestamp: when a job that went first was left to others, since no worker was free
    private int _promptClaims; // jobs whose clients wait for them as for a request
    private volatile bool _isLooking; // whether there are is being found out, and workers are kept for them
    private Task _claiming = Task.CompletedTask;
    private Task _maintenance = Task.CompletedTask;

    /// <summary>Makes a dispatcher; it does nothing until it is started.</summary>
    /// <param name="store">The store, not yet opened: the dispatcher listens to it.</param>
    /// <param name="executor">What runs a job.</param>
    /// <param name="pool">Where jobs run.</param>
    /// <param name="watch">Is told of changes.</param>
    /// <param name="options">How.</param>
    /// <param name="instruments">What is counted.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public JobDispatcher(
        IJobStore store, IJobExecutor executor, FixedThreadPool pool, JobWatch watch, JobOptions options, JobInstruments instruments,
        TimeProvider time, ILogger<JobDispatcher> logger)
        : this(store, executor, pool, watch, options, instruments, time, logger, NewOwner(), KindFilter.All, maintains: true) => store.Listener = this;

    /// <summary>Makes one of several that share a store. Who makes them tells them of changes.</summary>
    internal JobDispatcher(
        IJobStore store, IJobExecutor executor, FixedThreadPool pool, JobWatch watch, JobOptions options, JobInstruments instruments,
        TimeProvider time, ILogger<JobDispatcher> logger, string owner, KindFilter kinds, bool maintains)
    {
        (Owner, _kinds, _maintains) = (owner, kinds, maintains);
        (_store, _executor, _pool, _watch, _options, _instruments, _time, _logger) =
            (store, executor, pool, watch, options, instruments, time, logger);
        _share = new JobShare(options.Share, pool.Workers, time);
        _queue = new DueJobs(time);
        _bytes = new ByteBudget(options.MemoryBytes);
    }

    /// <summary>This instance's name in the store: another one after each start.</summary>
    public string Owner { get; }

    /// <summary>A name that no other instance has, nor this one after its next start.</summary>
    internal static string NewOwner() => $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>How many attempts are in hand.</summary>
    public int Running => _runs.Count;

    /// <summary>The attempts in hand.</summary>
    public IEnumerable<JobRun> Runs => _runs.Select(static run => run.Key);

    /// <summary>The bytes of the bodies and results of the jobs in hand.</summary>
    public long BytesInHand => _bytes.Used;

    /// <summary>How many of them there may be; see <see cref="JobOptions.MemoryBytes"/>.</summary>
    public long MaxBytesInHand => _options.MemoryBytes;

    /// <summary>What is wrong with the store, as of the last time it was asked; <see langword="null"/> if nothing is.</summary>
    public string? StoreFault { get; private set; }

    /// <summary>Begins. The store is open.</summary>
    public void Start()
    {
        _claiming = ClaimAsync();
        _maintenance = MaintainAsync();
    }

    /// <summary>
    /// A job of high priority has been accepted whose client waits for it as for any request: it need not wait for a worker that
    /// nobody else wants, but goes into the pool behind the requests that wait already.
    /// </summary>
    public void RequestPromptClaim()
    {
        Interlocked.Increment(ref _promptClaims);
        _due.Set();
    }

    /// <summary>
    /// Claims nothing more. What no worker has taken yet is handed back at once, its attempt not counted; what runs goes on.
    /// </summary>
    public void Close()
    {
        if (_closed.IsCancellationRequested) return;
        _closed.Cancel();
        foreach (JobRun run in _runs.Keys)
        {
            if (!run.HasStarted) run.Stop(StopReason.Draining);
        }
    }

    /// <summary>Closes, and waits until every attempt has ended and its end is written. The host's stop drains what runs.</summary>
    /// <param name="cancellation">Gives up: what is still in hand loses its lease in time, and is run elsewhere.</param>
    public async Task StopAsync(CancellationToken cancellation)
    {
        Close();
        await _claiming.WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await AcceptancesEndAsync().WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The leases are renewed to the end.
        await Task.WhenAll(_runs.Keys.Select(static r => r.Running)).WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopped.CancelAsync();
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

    /// <summary>A job has changed: if somebody wants it cancelled, its attempt here stops.</summary>
    internal void CancelIfAsked(JobChange change)
    {
        if (!change.IsCancelRequested) return;
        _pendingCancellations.Tell(change.Id, change.Version);
        foreach (JobRun run in _runs.Keys)
        {
            if (IsOf(run, change.Version) && run.Claim.Job.Id == change.Id) run.Stop(StopReason.Cancelled);
        }
    }

    void IJobStoreListener.MayBeDue()
    {
        _queue.Tell();
        _due.Set();
    }

    void IJobStoreListener.MayHaveMissed()
    {
        _watch.MayHaveMissed();
        LookAgain();
    }

    /// <summary>Changes may have been missed: both flows ask the store.</summary>
    internal void LookAgain()
    {
        _queue.Suspect();
        _due.Set();
        // A round also tells which running jobs somebody wants cancelled.
        Interlocked.Exchange(ref _maintainNow, 1);
        _maintain.Set();
    }

    /// <summary>Whether a cancellation is of this attempt: one that is told late may be of an earlier one.</summary>
    private static bool IsOf(JobRun run, long version) => version > run.Claim.Job.Version;

    private void Begin(JobClaim claim, WorkPriority priority, bool first)
    {
        _bytes.Take(claim.BodyBytes);
        var run = new JobRun(claim, priority, new ProgressReporter(_store, claim.WithoutBody(), _time), Started) { Held = claim.BodyBytes };
        // Another instance may have a worker for it meanwhile.
        if (first && _store.IsShared && claim.UnreadBytes == 0) run.StopUnlessStartedIn(LongestWait, _time);
        if (claim.TimeLeft is { } left) run.StopIn(left, _time);
        _runs[run] = first;
        Interlocked.Increment(ref _waiting); // a full fence; see Pace
        MaintainOften();
        // Whoever closes or tells of a cancellation notes it before looking for the run: one of the two sees the other.
        if (_closed.IsCancellationRequested) run.Stop(StopReason.Draining);
        else if (claim.Job.IsCancelRequested || (_pendingCancellations.TryGet(claim.Job.Id, out long version) && IsOf(run, version))) run.Stop(StopReason.Cancelled);
        run.Running = RunAsync(run, first);
    }

    private void Started(JobRun run)
    {
        Interlocked.Increment(ref _holding);
        Interlocked.Decrement(ref _waiting);
        if (_runs.GetValueOrDefault(run)) _share.Started();
        // While it waited for its worker, no other might.
        if (_queue.IsSuspected || Volatile.Read(ref _promptClaims) > 0) _due.Set();
    }

    /// <summary>What the store grants: less than <see cref="JobOptions.Lease"/>, so that the time it takes others to look is within it.</summary>
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
