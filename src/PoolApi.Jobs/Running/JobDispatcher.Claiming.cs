using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <content>Claiming: decides how many jobs to claim, and when.</content>
/// <remarks>
/// The flow sleeps between claims. Only these events wake it: a job may be due (reported, suspected, or by its time); a worker becomes idle
/// while jobs wait; an attempt starts or ends; the share of the jobs (<see cref="JobShare"/>) allows one to run first. So the number of events
/// bounds the number of claims, and no timer polls the store.
/// </remarks>
internal sealed partial class JobDispatcher
{
    /// <summary>The pause before the next claim after one that found jobs, since the store then does not report when the next job is due.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(10);

    /// <summary>The pause between two checks for a place in the pool's full queue, while a prompt job or a job that may run first needs one.</summary>
    private static readonly TimeSpan WhileFull = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a job that was claimed to run first may wait for a worker before it is handed back to other instances.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private long _claimRounds;
    private Task? _idle; // completes when a worker becomes idle; used by this flow only

    /// <summary>The number of this flow's rounds. For tests.</summary>
    internal long ClaimRounds => Volatile.Read(ref _claimRounds);

    /// <summary>Whether both flows wait for an event, and the claiming flow does so for longer than the given time. For tests.</summary>
    /// <remarks>Maintenance is read twice, because each of the flows may wake the other.</remarks>
    internal bool IsAsleep(TimeSpan longerThan) =>
        _maintain.IsAwaited(TimeSpan.Zero, _time) && _due.IsAwaited(longerThan, _time) && _maintain.IsAwaited(TimeSpan.Zero, _time);

    private async Task ClaimAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        RetryPause pause = default;
        while (!_closed.IsCancellationRequested)
        {
            try
            {
                TimeSpan? wait = await ClaimOnceAsync();
                pause.Reset();
                if (wait != TimeSpan.Zero) await _due.WaitAsync(wait, _time, _closed.Token);
            }
            catch (Exception e)
            {
                // Any exception: the flow must continue, or no job would run any more.
                StoreFails(e);
                _dueJobs.Suspect();
                // No event shortens this pause.
                await Task.Delay(pause.Next(), _time, _closed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Claims as many jobs as there are free workers.</summary>
    /// <returns>How long to wait for an event before the next claim; <see langword="null"/>: until an event.</returns>
    private async Task<TimeSpan?> ClaimOnceAsync()
    {
        _claimRounds++;
        _isClaiming = true;
        Interlocked.MemoryBarrier(); // pairs with the increment in TryReserve: the flag is set before the workers are counted
        try
        {
            return await ClaimIfDueAsync();
        }
        finally
        {
            _isClaiming = false;
        }
    }

    private async Task<TimeSpan?> ClaimIfDueAsync()
    {
        int prompt = Volatile.Read(ref _promptClaims);
        if (prompt == 0 && !_dueJobs.MayBeDue)
        {
            _share.Rest();
            return _dueJobs.ExpectedIn;
        }
        int most = MostToClaim(prompt);
        bool goesFirst = most == 0;
        if (goesFirst)
        {
            if (_dueJobs.IsKnown) MaintainOften(); // queued jobs may expire
            TimeSpan? wait = FirstIn(prompt > 0);
            if (wait != TimeSpan.Zero)
            {
                // Subscribed before the workers are counted again, so that a worker that becomes idle after the count wakes this flow.
                WakeWhen(Admission.NextIdleAsync());
                return Room() > 0 ? TimeSpan.Zero : wait;
            }
            most = 1;
        }
        JobClaims claimed = await ClaimAndBeginAsync(most, prompt, goesFirst);
        return NextClaimIn(claimed, isComplete: claimed.Claims.Count < most);
    }

    /// <summary>
    /// The number of jobs that can be claimed for free workers, or for prompt jobs that are queued in the pool; 0: none. A free worker ends the wait of the
    /// jobs' share.
    /// </summary>
    private int MostToClaim(int prompt)
    {
        int room = Room();
        if (room > 0) _share.Rest();
        // Prompt jobs are queued in the pool like requests, but at most one for each worker, since each holds its body.
        int mayWait = Admission.IsLikelyFull ? 0 : Math.Min(prompt, _pool.Workers - Volatile.Read(ref _waiting));
        return Math.Max(0, Math.Max(room, mayWait));
    }

    /// <summary>Claims due jobs and begins their attempts.</summary>
    private async Task<JobClaims> ClaimAndBeginAsync(int most, int prompt, bool goesFirst)
    {
        bool wasKnown = _dueJobs.IsKnown;
        try
        {
            _dueJobs.BeginClaim();
            _pendingCancellations.ClaimBegins();
            JobClaims claimed = await ClaimWithinBytesAsync(most);
            StoreWorks();
            // If fewer jobs were due than requested, the remaining prompt jobs are no longer queued: cancelled, or claimed by another instance.
            bool areAll = claimed.Claims.Count < most && !claimed.IsOutOfBytes;
            if (!claimed.IsPaused) Interlocked.Add(ref _promptClaims, -(areAll ? prompt : Math.Min(prompt, claimed.Claims.Count)));
            foreach (JobClaim claim in claimed.Claims) Begin(claim, PoolPriority(goesFirst, prompt), goesFirst);
            return claimed;
        }
        catch
        {
            if (wasKnown) _dueJobs.Report();
            throw;
        }
        finally
        {
            _pendingCancellations.ClaimEnded();
        }
    }

    /// <summary>
    /// The priority in the pool, which is not the job's. High: a job that its share lets run before the queued requests. Normal: a prompt job, in
    /// line with requests. Low: all others.
    /// </summary>
    private static WorkPriority PoolPriority(bool goesFirst, int prompt) =>
        goesFirst ? WorkPriority.High : prompt > 0 ? WorkPriority.Normal : WorkPriority.Low;

    /// <summary>Decides after a claim when the next one is due.</summary>
    /// <param name="claimed">What was claimed.</param>
    /// <param name="isComplete">Whether fewer jobs were claimed than were requested.</param>
    private TimeSpan? NextClaimIn(JobClaims claimed, bool isComplete)
    {
        if (claimed.IsPaused) _dueJobs.Report(); // queued jobs come before jobs that are accepted meanwhile
        if (claimed.IsOutOfBytes)
        {
            _dueJobs.Report();
            return null; // until an attempt returns bytes
        }
        if (!isComplete)
        {
            _dueJobs.Report();
            return TimeSpan.Zero;
        }
        _share.Rest();
        // The store reports the next due time only if it found no job.
        TimeSpan? next = claimed.Claims.Count > 0 ? AskAgain : claimed.NextDue;
        if (next < AskAgain) next = AskAgain;
        _dueJobs.ExpectIn(next);
        return next;
    }

    /// <summary>Claims jobs whose bodies fit into the free bytes of the budget.</summary>
    private async Task<JobClaims> ClaimWithinBytesAsync(int room)
    {
        JobClaims claimed = await _store.ClaimAsync(Owner, room, _bytesInHand.Free, LeaseTime, _kinds, CancellationToken.None);
        // Each pool has a part of Jobs:MemoryBytes. A body larger than that part runs when no other job of the pool holds bytes.
        if (!(claimed is { IsOutOfBytes: true, Claims: [] } && _bytesInHand.Used == 0)) return claimed;
        JobClaims alone = await _store.ClaimAsync(Owner, 1, long.MaxValue, LeaseTime, _kinds, CancellationToken.None);
        return alone.Claims.Count > 0 ? alone with { IsOutOfBytes = true } : alone; // other jobs may be due, and wait for its bytes
    }

    /// <summary>Wakes this flow when a worker becomes idle.</summary>
    private void WakeWhen(Task idle)
    {
        if (ReferenceEquals(idle, _idle)) return;
        _idle = idle;
        idle.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(_due.Set);
    }

    /// <summary>The number of free workers without those that are reserved for a job.</summary>
    private int Room()
    {
        PoolSnapshot pool = _pool.GetSnapshot();
        int busy = pool.Workers.Count(static w => w.State != WorkerState.Idle);
        // _waiting: jobs that are not in the pool's queue yet, or are queued there.
        return pool.Workers.Count - busy - Math.Max(pool.QueueLength, Volatile.Read(ref _waiting));
    }

    /// <summary>When no worker is free: computes when a job may run before the items that are queued in the pool.</summary>
    /// <param name="hasPrompt">Whether a prompt job waits for a place in the pool's queue.</param>
    /// <returns>The time until then; zero: now; <see langword="null"/>: not before the next event.</returns>
    private TimeSpan? FirstIn(bool hasPrompt)
    {
        TimeSpan? due;
        // If jobs hold all workers, their share does not grow. Jobs that ran first still use it.
        if (Volatile.Read(ref _holding) >= _pool.Workers)
        {
            if (_share.IsInUse) _ = _share.DueIn();
            else _share.Rest();
            due = null;
        }
        else
        {
            due = _share.DueIn();
            // An attempt that still waits for a worker goes first. Its start or end wakes this flow.
            if (Volatile.Read(ref _waiting) > 0) due = null;
            // Other instances get time to claim the job that was handed back.
            if (due is { } wait && Volatile.Read(ref _noWorkerAt) is var left and not 0)
            {
                TimeSpan leave = LongestWait - _time.GetElapsedTime(left);
                due = leave > wait ? leave : wait;
            }
        }
        if (!Admission.IsLikelyFull) return due;
        return hasPrompt || due < WhileFull ? WhileFull : due;
    }
}
