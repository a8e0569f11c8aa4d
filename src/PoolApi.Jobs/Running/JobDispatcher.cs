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
/// <para>Two flows. One claims: it sleeps until it is told that a job may be due, that a worker may be free, or until the next
/// job's time. The other tends: it renews leases, and lets the store expire, redeliver and sweep. While no job is in the
/// store's queue and none runs, the first has no timer and the second wakes three times within a lease, or six times where other
/// instances have the same store: one of them may have died.</para>
/// <para>A job is claimed only when a worker can take it soon: as many as there are free workers; and when none is, one at a
/// time by the share that jobs can count on (<see cref="JobShare"/>), which goes into the pool before what waits there. One that is
/// accepted here while a worker is free and no other job waits is claimed as it is accepted (<see cref="AcceptAsync"/>).</para>
/// </remarks>
public sealed partial class JobDispatcher : IJobStoreListener, IAsyncDisposable
{
    /// <summary>While jobs wait and no worker is free, so often is looked whether one is. Only then: it is no polling while idle.</summary>
    private static readonly TimeSpan Crowded = TimeSpan.FromMilliseconds(10);

    /// <summary>How long a job that went first, since no worker was free, waits for one before others may have it.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private readonly IJobStore _store;
    private readonly IJobExecutor _executor;
    private readonly FixedThreadPool _pool;
    private readonly JobWatch _watch;
    private readonly JobOptions _options;
    private readonly JobInstruments _instruments;
    private readonly TimeProvider _time;
    private readonly ILogger<JobDispatcher> _logger;

    private readonly ConcurrentDictionary<JobRun, bool> _runs = new(); // and whether it went first
    private readonly EarlyCancellations _early = new();
    private readonly Signal _due = new();
    private readonly Signal _tend = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _stopped = new();
    private readonly JobShare _share;
    private readonly HeldBytes _bytes;
    private int _waiting; // runs that no worker has taken yet
    private int _holding; // runs that a worker has taken
    private long _leftAt; // a timestamp: when a job that went first was left to others, since no worker was free
    private int _hurried; // jobs whose clients wait for them as for a request
    private volatile bool _mayHaveQueued = true; // jobs are due in the store, as far as is known
    private volatile bool _isLooking; // whether there are is being found out, and workers are kept for them
    private long _lookAt = long.MaxValue; // a timestamp: from then on, one may be due that was not when it was last looked
    private volatile bool _tendsSlowly;
    private Task _claiming = Task.CompletedTask;
    private Task _tending = Task.CompletedTask;

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
    {
        (_store, _executor, _pool, _watch, _options, _instruments, _time, _logger) =
            (store, executor, pool, watch, options, instruments, time, logger);
        _share = new JobShare(options.Share, pool.Workers, time);
        _bytes = new HeldBytes(options.MemoryBytes);
        store.Listener = this;
    }

    /// <summary>This instance's name in the store: another one after each start.</summary>
    public string Owner { get; } = $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>How many attempts are in hand.</summary>
    public int Running => _runs.Count;

    /// <summary>What is wrong with the store, as of the last time it was asked; <see langword="null"/> if nothing is.</summary>
    public string? StoreFault { get; private set; }

    /// <summary>Begins. The store is open.</summary>
    public void Start()
    {
        _claiming = ClaimAsync();
        _tending = TendAsync();
    }

    /// <summary>
    /// A job of high priority has been accepted whose client waits for it as for any request: it need not wait for a worker that
    /// nobody else wants, but goes into the pool behind the requests that wait already.
    /// </summary>
    public void Hurry()
    {
        Interlocked.Increment(ref _hurried);
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

    /// <summary>Closes, and waits until every attempt has ended and its end is written. The pool is drained by somebody else.</summary>
    /// <param name="cancellation">Gives up: what is still in hand loses its lease in time, and is run elsewhere.</param>
    public async Task StopAsync(CancellationToken cancellation)
    {
        Close();
        await _claiming.WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await AcceptancesEndAsync().WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The leases are renewed to the end.
        await Task.WhenAll(_runs.Keys.Select(static r => r.Running)).WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopped.CancelAsync();
        await _tending.WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        await _stopped.CancelAsync();
        await Task.WhenAll(_claiming, _tending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    void IJobStoreListener.Changed(JobChange change)
    {
        _watch.Changed(change);
        if (!change.IsCancelRequested) return;
        _early.Tell(change.Id, change.Version);
        foreach (JobRun run in _runs.Keys)
        {
            if (IsOf(run, change.Version) && run.Claim.Job.Id == change.Id) run.Stop(StopReason.Cancelled);
        }
    }

    void IJobStoreListener.MayBeDue()
    {
        _mayHaveQueued = true;
        _due.Set();
    }

    void IJobStoreListener.MayHaveMissed()
    {
        _watch.MayHaveMissed();
        _mayHaveQueued = true;
        _due.Set();
        _tend.Set(); // also tells which running jobs somebody wants cancelled
    }

    /// <summary>Whether a cancellation is of this attempt: one that is told late may be of an earlier one.</summary>
    private static bool IsOf(JobRun run, long version) => version > run.Claim.Job.Version;

    private async Task ClaimAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        RetryPause pause = default;
        while (!_closed.IsCancellationRequested)
        {
            TimeSpan? wait;
            try
            {
                wait = await ClaimOnceAsync();
                pause.Reset();
            }
            catch (Exception e)
            {
                // Whatever it is, jobs must not stop for good because of it.
                StoreFails(e);
                _mayHaveQueued = true;
                wait = pause.Next();
            }
            if (wait != TimeSpan.Zero) await _due.WaitAsync(wait, _time, _closed.Token);
        }
    }

    /// <summary>Claims what there is room for.</summary>
    /// <returns>How long to wait before the next time, unless told sooner; <see langword="null"/> until told.</returns>
    private async Task<TimeSpan?> ClaimOnceAsync()
    {
        _isLooking = true;
        Interlocked.MemoryBarrier(); // said before the room is counted; see TryReserve
        try
        {
            return await LookAsync();
        }
        finally
        {
            _isLooking = false;
        }
    }

    private async Task<TimeSpan?> LookAsync()
    {
        int room = Room();
        int hurried = Volatile.Read(ref _hurried);
        // Those wait in the pool, like requests; but no more of them than there are workers, with all that they carry.
        int mayWait = _pool.IsFullGuess ? 0 : Math.Min(hurried, _pool.Workers - Volatile.Read(ref _waiting));
        bool first = false;
        if (hurried == 0 && !_mayHaveQueued && LookIn() is var wait and not { Ticks: <= 0 })
        {
            _share.Rest();
            return wait;
        }
        if (Math.Max(room, mayWait) is > 0 and var more)
        {
            if (room > 0) _share.Rest();
            room = more;
        }
        else
        {
            _mayHaveQueued = true;
            if (_tendsSlowly) _tend.Set(); // what waits may expire
            if (!MayGoFirst()) return Crowded;
            room = 1;
            first = true;
        }
        // With high priority a job goes before the requests that wait, with low priority after all of them.
        WorkPriority priority = first ? WorkPriority.High : hurried > 0 ? WorkPriority.Normal : WorkPriority.Low;
        JobClaims claimed;
        try
        {
            _mayHaveQueued = false; // whoever accepts from here on says so
            _early.ClaimBegins();
            claimed = await ClaimWithinBytesAsync(room);
            StoreWorks();
            // If fewer were due than there is room for, those that hurried are gone: cancelled, or run elsewhere.
            bool areAll = claimed.Claims.Count < room && !claimed.IsOutOfBytes;
            if (!claimed.IsPaused) Interlocked.Add(ref _hurried, -(areAll ? hurried : Math.Min(hurried, claimed.Claims.Count)));
            foreach (JobClaim claim in claimed.Claims) Begin(claim, priority, first);
        }
        finally
        {
            _early.ClaimEnded();
        }
        if (claimed.IsPaused) _mayHaveQueued = true; // what waits comes before what is accepted meanwhile
        if (claimed.IsOutOfBytes)
        {
            _mayHaveQueued = true;
            return null; // until a run ends, and gives its bytes back
        }
        if (claimed.Claims.Count == room)
        {
            _mayHaveQueued = true;
            return Room() > 0 ? TimeSpan.Zero : Crowded;
        }
        _share.Rest();
        // The next time is told when none is due.
        TimeSpan? next = claimed.Claims.Count > 0 ? Crowded : claimed.NextDue;
        if (next < Crowded) next = Crowded;
        Volatile.Write(ref _lookAt, next is { } time ? _time.GetTimestamp() + (long)(time.TotalSeconds * _time.TimestampFrequency) : long.MaxValue);
        return next;
    }

    /// <summary>Claims jobs whose bodies fit into the bytes that are left.</summary>
    private async Task<JobClaims> ClaimWithinBytesAsync(int room)
    {
        JobClaims claimed = await _store.ClaimAsync(Owner, room, _bytes.Free, LeaseTime, CancellationToken.None);
        // A body that is larger than all of them, as the settings are now: it has them alone.
        return claimed is { IsOutOfBytes: true, Claims: [] } && _bytes.Used == 0
            ? await _store.ClaimAsync(Owner, 1, long.MaxValue, LeaseTime, CancellationToken.None)
            : claimed;
    }

    /// <summary>How long until a job may be due that was not when it was last looked; <see langword="null"/>: none is known of.</summary>
    private TimeSpan? LookIn() =>
        Volatile.Read(ref _lookAt) is var then and not long.MaxValue ? _time.GetElapsedTime(_time.GetTimestamp(), then) : null;

    /// <summary>How many workers are free, and not meant for a job already.</summary>
    private int Room()
    {
        PoolSnapshot pool = _pool.GetSnapshot();
        int busy = pool.Workers.Count(static w => w.State != WorkerState.Idle);
        // Those of ours that are on their way to the pool, or wait in it.
        return pool.Workers.Count - busy - Math.Max(pool.QueueLength, Volatile.Read(ref _waiting));
    }

    /// <summary>Whether a job may go before what waits in the pool.</summary>
    private bool MayGoFirst()
    {
        // Where jobs have all workers, nobody else is in their way.
        if (Volatile.Read(ref _holding) >= _pool.Workers)
        {
            _share.Rest();
            return false;
        }
        // Others get the time to take what was left to them.
        return _share.IsDue() && Volatile.Read(ref _waiting) == 0 && !_pool.IsFullGuess
            && (Volatile.Read(ref _leftAt) is var left && (left == 0 || _time.GetElapsedTime(left) > LongestWait));
    }

    private void Begin(JobClaim claim, WorkPriority priority, bool first)
    {
        _bytes.Take(claim.BodyBytes);
        var run = new JobRun(claim, priority, new ProgressReporter(_store, claim.WithoutBody(), _time), Started) { Held = claim.BodyBytes };
        // Another instance may have a worker for it meanwhile.
        if (first && _store.IsShared && claim.UnreadBytes == 0) run.StopUnlessStartedIn(LongestWait, _time);
        if (claim.Job.Deadline is { } deadline) run.StopIn(deadline - claim.Job.StartedAt!.Value, _time);
        _runs[run] = first;
        Interlocked.Increment(ref _waiting); // a full fence; see TendAsync
        if (_tendsSlowly) _tend.Set();
        // Whoever closes or tells of a cancellation notes it before looking for the run: one of the two sees the other.
        if (_closed.IsCancellationRequested) run.Stop(StopReason.Draining);
        else if (claim.Job.IsCancelRequested || (_early.TryGet(claim.Job.Id, out long version) && IsOf(run, version))) run.Stop(StopReason.Cancelled);
        run.Running = RunAsync(run, first);
    }

    private void Started(JobRun run)
    {
        Interlocked.Increment(ref _holding);
        Interlocked.Decrement(ref _waiting);
        if (_runs.GetValueOrDefault(run)) _share.Started();
    }

    /// <summary>What the store grants: less than <see cref="JobOptions.Lease"/>, so that the time it takes others to look is within it.</summary>
    private TimeSpan LeaseTime => _options.Lease * (2 / 3.0);

    private async Task TendAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var rules = new MaintenanceRules(_options.Retention, _options.MaxRedeliveries);
        RetryPause pause = default;
        while (!_stopped.IsCancellationRequested)
        {
            TimeSpan wait;
            try
            {
                // Before others' leases are looked at: after a time without the store, one's own have run out as well.
                await RenewAsync();
                MaintenanceReport report = await _store.MaintainAsync(rules, CancellationToken.None);
                foreach (var (kind, count) in report.Redelivered) _instruments.Redelivered(kind, count);
                if (report.Redelivered.Count > 0 || report.Poisoned > 0) LogRedelivered(report.Redelivered.Values.Sum(), report.Poisoned);
                bool mayHaveQueued = _mayHaveQueued || report.Redelivered.Count > 0 || _store.IsShared;
                // It is looked whatever is known: what others tell may get lost, and the clock may be set, or the machine have slept.
                _mayHaveQueued = true;
                _due.Set();
                StoreWorks();
                pause.Reset();
                // Whether another instance dies cannot be known otherwise than by looking.
                _tendsSlowly = true;
                Interlocked.MemoryBarrier(); // said before it is looked: whoever begins a run afterwards wakes this
                bool busy = !_runs.IsEmpty || mayHaveQueued;
                // Another instance may come that nobody tells of; and die.
                TimeSpan quiet = _options.Lease / 3 < Quiet ? _options.Lease / 3 : Quiet;
                wait = report.MayBeMore ? TimeSpan.Zero : busy ? _options.Lease / 6 : quiet;
                _tendsSlowly = !busy && !report.MayBeMore;
                // A retention of seconds is kept to the second, or nearly.
                if (wait > _options.Retention / 4) wait = _options.Retention / 4;
            }
            catch (Exception e)
            {
                // As in ClaimAsync. Leases are short, so it is soon tried again.
                StoreFails(e);
                wait = pause.Next();
            }
            if (wait > TimeSpan.Zero) await _tend.WaitAsync(wait, _time, _stopped.Token);
            _tendsSlowly = false;
        }
    }

    private async Task RenewAsync()
    {
        JobRun[] runs = [.. _runs.Keys];
        if (runs.Length == 0) return;
        IReadOnlyList<LeaseState> states = await _store.RenewAsync([.. runs.Select(static r => r.Claim)], LeaseTime, CancellationToken.None);
        for (int i = 0; i < runs.Length; i++)
        {
            if (states[i] == LeaseState.CancelRequested) runs[i].Stop(StopReason.Cancelled);
            // One that has just ended is not this claim's any more either.
            else if (states[i] == LeaseState.Lost && _runs.ContainsKey(runs[i])) runs[i].Stop(StopReason.LeaseLost);
        }
    }

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
