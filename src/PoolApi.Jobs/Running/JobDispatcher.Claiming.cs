using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <content>Claiming: which jobs this instance takes on, and when.</content>
/// <remarks>
/// Between two claims the flow sleeps. What wakes it, and nothing else: a job that may be due (told, suspected, or by its time); a
/// worker that runs out of work while jobs wait for one; an attempt that starts or ends; the moment when the share of the jobs
/// lets one go first. So the number of claims is bounded by what happens, and no timer asks again and again.
/// </remarks>
internal sealed partial class JobDispatcher
{
    /// <summary>A claim that found jobs is not told when the next one is due: it asks again, but not at once.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(10);

    /// <summary>While a job may go first but the pool's queue is full, so often is looked whether there is room.</summary>
    private static readonly TimeSpan WhileFull = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a job that went first, since no worker was free, waits for one before others may have it.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private long _looks;
    private Task? _idle; // the idle worker that this flow asked for; it alone uses it

    /// <summary>How often this flow has looked whether there is something to claim, and room for it. For tests.</summary>
    internal long Looks => Volatile.Read(ref _looks);

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
                // Whatever it is, jobs must not stop for good because of it.
                StoreFails(e);
                _queue.Suspect();
                // Whatever happens meanwhile, the store is asked no sooner.
                await Task.Delay(pause.Next(), _time, _closed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Claims what there is room for.</summary>
    /// <returns>How long to wait before the next time, unless told sooner; <see langword="null"/> until told.</returns>
    private async Task<TimeSpan?> ClaimOnceAsync()
    {
        _looks++;
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
        int prompt = Volatile.Read(ref _promptClaims);
        if (prompt == 0 && !_queue.IsSuspected)
        {
            _share.Rest();
            return _queue.ExpectedIn;
        }
        int room = Room();
        // Those wait in the pool, like requests; but no more of them than there are workers, with all that they carry.
        int mayWait = Admission.IsLikelyFull ? 0 : Math.Min(prompt, _pool.Workers - Volatile.Read(ref _waiting));
        bool first = false;
        if (Math.Max(room, mayWait) is > 0 and var more)
        {
            if (room > 0) _share.Rest();
            room = more;
        }
        else
        {
            if (_queue.IsKnown) MaintainOften(); // what waits may expire
            TimeSpan? wait = FirstIn(prompt > 0);
            if (wait != TimeSpan.Zero)
            {
                // Asked for before the workers are counted again: one that becomes idle after the count is told.
                WakeWhen(Admission.NextIdleAsync());
                return Room() > 0 ? TimeSpan.Zero : wait;
            }
            room = 1;
            first = true;
        }
        // With high priority a job goes before the requests that wait, with low priority after all of them.
        WorkPriority priority = first ? WorkPriority.High : prompt > 0 ? WorkPriority.Normal : WorkPriority.Low;
        JobClaims claimed;
        bool wasKnown = _queue.IsKnown;
        try
        {
            _queue.BeginClaim();
            _pendingCancellations.ClaimBegins();
            claimed = await ClaimWithinBytesAsync(room);
            StoreWorks();
            // If fewer were due than there is room for, those that were to be claimed promptly are gone: cancelled, or run elsewhere.
            bool areAll = claimed.Claims.Count < room && !claimed.IsOutOfBytes;
            if (!claimed.IsPaused) Interlocked.Add(ref _promptClaims, -(areAll ? prompt : Math.Min(prompt, claimed.Claims.Count)));
            foreach (JobClaim claim in claimed.Claims) Begin(claim, priority, first);
        }
        catch
        {
            if (wasKnown) _queue.Tell();
            throw;
        }
        finally
        {
            _pendingCancellations.ClaimEnded();
        }
        if (claimed.IsPaused) _queue.Tell(); // what waits comes before what is accepted meanwhile
        if (claimed.IsOutOfBytes)
        {
            _queue.Tell();
            return null; // until a run gives bytes back
        }
        if (claimed.Claims.Count == room)
        {
            _queue.Tell();
            return TimeSpan.Zero;
        }
        _share.Rest();
        // The next time is told when none is due.
        TimeSpan? next = claimed.Claims.Count > 0 ? AskAgain : claimed.NextDue;
        if (next < AskAgain) next = AskAgain;
        _queue.ExpectIn(next);
        return next;
    }

    /// <summary>Claims jobs whose bodies fit into the bytes that are left.</summary>
    private async Task<JobClaims> ClaimWithinBytesAsync(int room)
    {
        JobClaims claimed = await _store.ClaimAsync(Owner, room, _bytes.Free, LeaseTime, _kinds, CancellationToken.None);
        // A body that is larger than the whole limit, as the settings are now: it has all the bytes to itself.
        return claimed is { IsOutOfBytes: true, Claims: [] } && _bytes.Used == 0
            ? await _store.ClaimAsync(Owner, 1, long.MaxValue, LeaseTime, _kinds, CancellationToken.None)
            : claimed;
    }

    /// <summary>Wakes this flow when the idle worker comes that it asked for.</summary>
    private void WakeWhen(Task idle)
    {
        if (ReferenceEquals(idle, _idle)) return;
        _idle = idle;
        idle.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(_due.Set);
    }

    /// <summary>How many workers are free, and not meant for a job already.</summary>
    private int Room()
    {
        PoolSnapshot pool = _pool.GetSnapshot();
        int busy = pool.Workers.Count(static w => w.State != WorkerState.Idle);
        // Those of ours that are on their way to the pool, or wait in it.
        return pool.Workers.Count - busy - Math.Max(pool.QueueLength, Volatile.Read(ref _waiting));
    }

    /// <summary>No worker is free: when a job may go before what waits in the pool.</summary>
    /// <param name="hurries">A job waits for a place in the pool's queue.</param>
    /// <returns>How long until then, unless something happens sooner; <see langword="null"/>: not before.</returns>
    private TimeSpan? FirstIn(bool hurries)
    {
        TimeSpan? due;
        // Where jobs have all workers, nobody else is in their way.
        if (Volatile.Read(ref _holding) >= _pool.Workers)
        {
            _share.Rest();
            due = null;
        }
        else
        {
            due = _share.DueIn();
            // A run that has no worker yet goes before; its start or its end wakes this flow.
            if (Volatile.Read(ref _waiting) > 0) due = null;
            // Others get the time to take what was left to them.
            if (due is { } wait && Volatile.Read(ref _leftAt) is var left and not 0)
            {
                TimeSpan leave = LongestWait - _time.GetElapsedTime(left);
                due = leave > wait ? leave : wait;
            }
        }
        if (!Admission.IsLikelyFull) return due;
        return hurries || due < WhileFull ? WhileFull : due;
    }
}
