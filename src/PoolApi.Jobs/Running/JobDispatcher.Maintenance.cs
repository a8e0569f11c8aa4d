namespace PoolApi.Jobs.Running;

/// <content>Maintenance: renews leases, and makes the store expire, redeliver and sweep jobs.</content>
/// <remarks>
/// Rounds are at least a sixth of the lease apart. A wake-up only makes the flow compute again when the next round is due. A round comes sooner
/// in four cases: the last round reached its limit, changes may have been missed, the store failed, or the retention is short.
/// <para>After an outage of the store in which leases may have run out, a round redelivers no job for the length of a lease. Otherwise the first
/// instance that is back would redeliver the jobs of all others, which live and have not renewed their leases yet.</para>
/// </remarks>
internal sealed partial class JobDispatcher
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private readonly Signal _maintain = new();
    private volatile bool _maintainsSlowly; // no job is known to be queued or running, of any dispatcher that this one maintains for
    private int _maintainNow; // 1: a round is due at once
    private long? _succeededAt; // a timestamp: when the last round ended that the store answered; null: none has
    private long? _redeliversFrom; // a timestamp: no job is redelivered before; null: there was no outage

    /// <summary>Makes rounds more frequent because jobs are queued or run. Called after the change that makes it necessary is visible.</summary>
    private void MaintainOften()
    {
        if (_maintainsSlowly) _maintain.Set();
        if (_maintainer is { _maintainsSlowly: true } maintainer) maintainer._maintain.Set();
    }

    private async Task MaintainAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        RetryPause pause = default;
        while (!_stopped.IsCancellationRequested)
        {
            long round = _time.GetTimestamp();
            try
            {
                // Renew first: after an outage of the store this instance's own leases have run out too, and maintenance would redeliver its jobs.
                // It renews for all dispatchers: the others may not have renewed their leases yet.
                await RenewAsync(_maintainsFor?.Invoke() ?? [this]);
                MaintenanceReport report = _maintainsFor is not null ? await MaintainOnceAsync(Rules()) : MaintenanceReport.Nothing;
                _succeededAt = _time.GetTimestamp();
                foreach (var (kind, count) in report.Redelivered) _instruments.Redelivered(kind, count);
                if (report.Poisoned > 0) _instruments.Poisoned(report.Poisoned);
                if (report.Redelivered.Count > 0 || report.Poisoned > 0) LogRedelivered(report.Redelivered.Values.Sum(), report.Poisoned);
                if (report.Redelivered.Count > 0) _dueJobs.Report();
                // A notification may be lost, the clock may be set, or the machine may have been suspended.
                else if (report.SweepFault is null) _dueJobs.Suspect();
                _due.Set();
                if (report.SweepFault is { } fault)
                {
                    await FailAsync(fault);
                    continue;
                }
                StoreWorks();
                pause.Reset();
                if (!report.MayBeMore) await UntilNextRoundAsync(round);
            }
            catch (Exception e)
            {
                await FailAsync(e);
            }
        }

        // As in ClaimAsync. The pause is short compared with a lease.
        async Task FailAsync(Exception e)
        {
            StoreFails(e);
            await Task.Delay(pause.Next(), _time, _stopped.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Lets the store maintain itself. If that takes long, because large bodies are swept, the leases are renewed meanwhile.</summary>
    private async Task<MaintenanceReport> MaintainOnceAsync(MaintenanceRules rules)
    {
        Task<MaintenanceReport> round = _store.MaintainAsync(rules, CancellationToken.None).AsTask();
        while (true)
        {
            Task ended = round;
            await ended.WaitAsync(_options.Lease / 6, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (ended.IsCompleted) return await round;
            try
            {
                await RenewAsync(_maintainsFor!());
            }
            catch (Exception e)
            {
                // The next renewal may succeed. If it does not, the round fails too.
                StoreFails(e);
            }
        }
    }

    /// <summary>The rules of a round that begins now.</summary>
    /// <remarks>
    /// A live instance renews its leases in each round, and rounds are a quarter of the granted lease apart. So three quarters of each lease are
    /// left when an outage begins. If the last round is longer ago, leases of live instances may have run out in an outage. From now on these
    /// instances have the length of a lease to renew them. The first round is not affected: what this instance finds at its start may be the jobs
    /// of its own earlier life.
    /// </remarks>
    private MaintenanceRules Rules()
    {
        long now = _time.GetTimestamp();
        if (_succeededAt is { } last && _time.GetElapsedTime(last, now) > LeaseTime * (3 / 4.0))
            _redeliversFrom = now + (long)(LeaseTime.TotalSeconds * _time.TimestampFrequency);
        return new MaintenanceRules(_options.Retention, _options.MaxRedeliveries) { MayRedeliver = !(now < _redeliversFrom) };
    }

    private async Task UntilNextRoundAsync(long round)
    {
        while (!_stopped.IsCancellationRequested)
        {
            if (Interlocked.Exchange(ref _maintainNow, 0) != 0) break;
            TimeSpan left = Pace() - _time.GetElapsedTime(round);
            if (left <= TimeSpan.Zero) break;
            await _maintain.WaitAsync(left, _time, _stopped.Token);
        }
        _maintainsSlowly = false;
    }

    /// <summary>The time between rounds.</summary>
    private TimeSpan Pace()
    {
        _maintainsSlowly = true;
        Interlocked.MemoryBarrier(); // pairs with MaintainOften's callers: either this thread sees their job, or they see the flag and wake this flow
        // Another instance may start, claim jobs and die without a notification. Only a round finds that.
        bool isBusy = _store.IsShared || (_maintainsFor?.Invoke() ?? [this]).Any(static d => !d._attempts.IsEmpty || d._dueJobs.IsKnown);
        _maintainsSlowly = !isBusy;
        TimeSpan quiet = _options.Lease / 3 < Quiet ? _options.Lease / 3 : Quiet;
        TimeSpan pace = isBusy ? _options.Lease / 6 : quiet;
        // Maintenance sweeps a job late by at most a quarter of the retention, even if the retention is a few seconds.
        return pace < _options.Retention / 4 ? pace : _options.Retention / 4;
    }

    /// <summary>Renews the leases of dispatchers of this instance.</summary>
    private async Task RenewAsync(IEnumerable<JobDispatcher> dispatchers)
    {
        (JobDispatcher Dispatcher, JobAttempt Attempt)[] all = [.. dispatchers.SelectMany(static d => d._attempts.Keys.Select(attempt => (d, attempt)))];
        if (all.Length == 0) return;
        IReadOnlyList<LeaseState> states = await _store.RenewAsync([.. all.Select(static a => a.Attempt.Claim)], LeaseTime, CancellationToken.None);
        for (int i = 0; i < all.Length; i++)
        {
            var (dispatcher, attempt) = all[i];
            if (states[i] == LeaseState.CancelRequested) attempt.Stop(StopReason.Cancelled);
            // The lease of an attempt that has just ended is also reported as lost.
            else if (states[i] == LeaseState.Lost && dispatcher._attempts.ContainsKey(attempt)) attempt.Stop(StopReason.LeaseLost);
        }
    }
}
