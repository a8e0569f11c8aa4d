namespace PoolApi.Jobs.Running;

/// <summary>
/// The part of the workers' time that jobs can count on: while jobs wait and no worker is free, it adds up; what jobs use of
/// the workers is taken from it. Not thread-safe.
/// </summary>
/// <remarks>
/// A deficit counter, as in deficit round robin (Shreedhar and Varghese, 1995), in worker time. It neither saves nor owes
/// much, so that one very long job does not keep the others waiting for hours; and what jobs had while workers were free does not count.
/// </remarks>
internal sealed class JobShare(double share, int workers, TimeProvider time)
{
    private static readonly TimeSpan Most = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostDebt = TimeSpan.FromSeconds(10);

    private TimeSpan _credit;
    private long? _since;

    /// <summary>Jobs wait and no worker is free.</summary>
    /// <returns>Whether one is to go first all the same.</returns>
    public bool IsDue()
    {
        if (share <= 0) return false;
        long now = time.GetTimestamp();
        if (_since is { } since) _credit += time.GetElapsedTime(since, now) * (share * workers);
        _since = now;
        if (_credit > Most) _credit = Most;
        return _credit > TimeSpan.Zero;
    }

    /// <summary>No job waits, or a worker is free: nothing adds up.</summary>
    public void Rest() => _since = null;

    /// <summary>A job that went first has held a worker for so long.</summary>
    public void Used(TimeSpan time) => _credit = _credit - time < -MostDebt ? -MostDebt : _credit - time;
}
