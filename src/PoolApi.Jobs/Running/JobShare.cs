namespace PoolApi.Jobs.Running;

/// <summary>
/// The part of the workers' time that jobs can count on: while jobs wait and no worker is free, it adds up; while jobs that
/// went first for it hold workers, their time is taken from it. Thread-safe.
/// </summary>
/// <remarks>
/// <para>A deficit counter, as in deficit round robin (Shreedhar and Varghese, 1995), in worker time. It neither saves nor owes
/// much, so that one very long job does not keep the others waiting for hours; and what jobs had while workers were free does not count.</para>
/// <para>The time of a job is taken from it as it passes and not at its end: otherwise one more would go first for as long as
/// the first ones run.</para>
/// </remarks>
internal sealed class JobShare(double share, int workers, TimeProvider time)
{
    private static readonly TimeSpan Most = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostDebt = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    private readonly Lock _lock = new();
    private TimeSpan _credit;
    private long? _since;
    private int _holding;

    /// <summary>Jobs wait and no worker is free.</summary>
    /// <returns>
    /// How long until one may go first, unless a job that went first ends sooner; zero: now; <see langword="null"/>: not before
    /// one ends, or never.
    /// </returns>
    public TimeSpan? DueIn()
    {
        if (share <= 0) return null;
        lock (_lock)
        {
            AddUp();
            _since ??= time.GetTimestamp();
            if (_credit > TimeSpan.Zero) return TimeSpan.Zero;
            double rate = (share * workers) - _holding;
            if (rate <= 0) return null;
            // A timer's tick more: at the end of the wait there must be something to spend.
            return (-_credit / rate) + Tick;
        }
    }

    /// <summary>No job waits, or a worker is free: nothing adds up.</summary>
    public void Rest()
    {
        lock (_lock)
        {
            AddUp();
            _since = null;
        }
    }

    /// <summary>A job that went first has a worker.</summary>
    public void Started() => Hold(1);

    /// <summary>It has let go of it.</summary>
    public void Ended() => Hold(-1);

    private void Hold(int more)
    {
        lock (_lock)
        {
            AddUp();
            _holding += more;
        }
    }

    private void AddUp()
    {
        if (_since is not { } since) return;
        long now = time.GetTimestamp();
        _since = now;
        _credit += time.GetElapsedTime(since, now) * ((share * workers) - _holding);
        if (_credit > Most) _credit = Most;
        else if (_credit < -MostDebt) _credit = -MostDebt;
    }
}
