namespace PoolApi.Jobs.Running;

/// <summary>
/// Reserves a share of the workers' time for jobs. The credit grows while jobs wait and no worker is free. It shrinks while jobs that ran first
/// because of it hold workers. Thread-safe.
/// </summary>
/// <remarks>
/// <para>A deficit counter as in deficit round robin (Shreedhar and Varghese, 1995), in worker time. Credit and debt are bounded, so that one very
/// long job does not delay other jobs for hours. Time on workers that were free does not count.</para>
/// <para>The time of a job is subtracted while it runs and not at its end. Otherwise further jobs would run first while the first ones run.</para>
/// </remarks>
internal sealed class JobShare(double share, int workers, TimeProvider time)
{
    private static readonly TimeSpan Most = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostDebt = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    /// <summary>A lower rate is zero: rounding leaves as much of it.</summary>
    private const double LeastRate = 1e-9;

    private readonly Lock _lock = new();
    private TimeSpan _credit;
    private long? _since;
    private int _holding;

    /// <summary>Whether a job that went first holds a worker.</summary>
    public bool IsInUse
    {
        get
        {
            lock (_lock) return _holding > 0;
        }
    }

    /// <summary>Accumulates credit, since jobs wait and no worker is free, and computes when a job may run first.</summary>
    /// <returns>
    /// The time until then, if no job that ran first ends sooner; zero: now; <see langword="null"/>: not before such a job ends, or never.
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
            if (rate < LeastRate) return null;
            // One timer tick more, so that the credit is positive at the end of the wait.
            return (-_credit / rate) + Tick;
        }
    }

    /// <summary>Stops accumulating, since no job waits or a worker is free.</summary>
    public void Rest()
    {
        lock (_lock)
        {
            AddUp();
            _since = null;
        }
    }

    /// <summary>A worker has taken a job that runs first.</summary>
    public void Started() => AddHolding(1);

    /// <summary>Such a job has released its worker.</summary>
    public void Ended() => AddHolding(-1);

    private void AddHolding(int more)
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
