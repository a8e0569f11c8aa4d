namespace PoolApi.Jobs.Running;

/// <content>Maintenance: renews leases, and lets the store expire, redeliver and sweep.</content>
/// <remarks>
/// Rounds are at least a sixth of the lease apart, whatever wakes the flow: a wake-up makes it look at how soon the next round is due,
/// and that is all. Three things bring a round forward: a round that left something to do, changes that may have been missed, and a
/// store that failed.
/// </remarks>
internal sealed partial class JobDispatcher
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private readonly Signal _maintain = new();
    private volatile bool _maintainsSlowly; // nothing is queued and nothing runs, as far as is known
    private int _maintainNow; // 1: a round is wanted at once

    /// <summary>Jobs wait or run: maintenance looks at them more often. Called after what makes it so can be seen.</summary>
    private void MaintainOften()
    {
        if (_maintainsSlowly) _maintain.Set();
    }

    private async Task MaintainAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var rules = new MaintenanceRules(_options.Retention, _options.MaxRedeliveries);
        RetryPause pause = default;
        while (!_stopped.IsCancellationRequested)
        {
            long round = _time.GetTimestamp();
            try
            {
                // Before others' leases are looked at: after a time without the store, one's own have run out as well.
                await RenewAsync();
                MaintenanceReport report = _maintains ? await _store.MaintainAsync(rules, CancellationToken.None) : MaintenanceReport.Nothing;
                StoreWorks();
                pause.Reset();
                foreach (var (kind, count) in report.Redelivered) _instruments.Redelivered(kind, count);
                if (report.Poisoned > 0) _instruments.Poisoned(report.Poisoned);
                if (report.Redelivered.Count > 0 || report.Poisoned > 0) LogRedelivered(report.Redelivered.Values.Sum(), report.Poisoned);
                if (report.Redelivered.Count > 0) _queue.Tell();
                // What others tell may get lost, and the clock may be set, or the machine have slept.
                else _queue.Suspect();
                _due.Set();
                if (!report.MayBeMore) await UntilNextRoundAsync(round);
            }
            catch (Exception e)
            {
                // As in ClaimAsync. Leases are short, so it is soon tried again.
                StoreFails(e);
                await Task.Delay(pause.Next(), _time, _stopped.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
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

    /// <summary>How far apart the rounds are.</summary>
    private TimeSpan Pace()
    {
        _maintainsSlowly = true;
        Interlocked.MemoryBarrier(); // said before it is looked: whoever makes it busy afterwards wakes this
        // Another instance may come that nobody tells of, and die: that cannot be known otherwise than by looking.
        bool isBusy = !_runs.IsEmpty || _queue.IsKnown || _store.IsShared;
        _maintainsSlowly = !isBusy;
        TimeSpan quiet = _options.Lease / 3 < Quiet ? _options.Lease / 3 : Quiet;
        TimeSpan pace = isBusy ? _options.Lease / 6 : quiet;
        // A retention of seconds is kept to the second, or nearly.
        return pace < _options.Retention / 4 ? pace : _options.Retention / 4;
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
}
