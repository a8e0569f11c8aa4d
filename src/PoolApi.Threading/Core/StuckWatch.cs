namespace PoolApi.Threading.Core;

/// <summary>
/// Detects stuck workers, which run one item for too long. One timer, which is set while a worker is busy and fires at most
/// once in <see cref="WorkerSet.StuckAfter"/>. In an idle pool it is not set, or fires once more.
/// </summary>
#pragma warning disable CA1001 // its timer is disposed of by Stop, when the pool has stopped
internal sealed class StuckWatch
#pragma warning restore CA1001
{
    /// <summary>The pause before another check after there was no memory for one.</summary>
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(1);

    private readonly PoolCore _core;
    private readonly ITimer _timer;
    private int _isSet; // 1 while the timer is set or about to be

    public StuckWatch(PoolCore core)
    {
        _core = core;
        _timer = core.Clock.Time.CreateTimer(
            static watch => ((StuckWatch)watch!).Check(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A worker has taken an item under the gate, a full fence that pairs with the one in Check.</summary>
    public void WorkerIsBusy()
    {
        if (Volatile.Read(ref _isSet) == 0) Set(_core.Workers.StuckAfter);
    }

    public void Stop() => _timer.Dispose();

    private void Set(TimeSpan due)
    {
        if (Interlocked.Exchange(ref _isSet, 1) == 0) Change(due);
    }

    /// <summary>Rounds up, because a timer counts whole milliseconds: late is better than early.</summary>
    private void Change(TimeSpan due) =>
        TimerSetting.Set(_timer, (due < TimerSetting.Longest ? due : TimerSetting.Longest) + TimeSpan.FromMilliseconds(1));

    private void Check()
    {
        // An exception would end the process, because the timer calls this.
        try
        {
            FindStuck();
        }
        catch (OutOfMemoryException)
        {
            Volatile.Write(ref _isSet, 1);
            Change(Later);
        }
    }

    private void FindStuck()
    {
        if (_core.Workers.FindStuck() is { } next)
        {
            Change(next);
            return;
        }
        Volatile.Write(ref _isSet, 0);
        Interlocked.MemoryBarrier(); // a worker that takes an item after this sets the timer; an item taken before is found here
        if (_core.Workers.FindStuck() is { } missed) Set(missed);
    }
}
