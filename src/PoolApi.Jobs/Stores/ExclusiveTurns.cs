namespace PoolApi.Jobs.Stores;

/// <summary>Alternates an instance between one job that must run alone and all other jobs. Not thread-safe.</summary>
/// <remarks>
/// <code>
///   others run ──IsDue──► no claims until the running jobs have ended ──Began──► the job runs alone ─► others run for the same time
///                              └── the wait is too long ─► others run for the same time; the next wait may be twice as long
/// </code>
/// So neither side starves: the other jobs get half of the time, and the waits grow until one is longer than any job.
/// </remarks>
internal sealed class ExclusiveTurns
{
    /// <summary>How long the first wait for the running jobs may last. The instance claims nothing during it.</summary>
    public static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(10);

    /// <summary>How long a job that was running at two deaths runs alone. Each further death doubles the time.</summary>
    public static readonly TimeSpan FirstAlone = TimeSpan.FromMinutes(1);

    private TimeSpan _longestWait = FirstWait;
    private TimeSpan? _waitingSince;
    private TimeSpan? _aloneSince;
    private TimeSpan _notBefore;

    /// <summary>How long a job that was running at so many deaths runs alone. Afterwards other jobs run beside it.</summary>
    public static TimeSpan AloneFor(int suspicion) => FirstAlone * Math.Pow(2, Math.Clamp(suspicion - 2, 0, 16));

    /// <summary>Decides whose turn it is while a job waits to run alone and none does.</summary>
    /// <param name="now">The time, by a clock that cannot jump.</param>
    /// <returns>Whether it is the turn of the job that must run alone. If so, no other job is claimed.</returns>
    public bool IsDue(TimeSpan now)
    {
        if (_aloneSince is { } since)
        {
            _notBefore = now + (now - since);
            _aloneSince = null;
        }
        if (now < _notBefore) return false;
        _waitingSince ??= now;
        if (now - _waitingSince < _longestWait) return true;
        _notBefore = now + _longestWait;
        _longestWait *= 2;
        _waitingSince = null;
        return false;
    }

    /// <summary>Records that the job runs alone from now on.</summary>
    /// <param name="now">The time, by the same clock.</param>
    public void Began(TimeSpan now)
    {
        _aloneSince = now;
        _waitingSince = null;
        _longestWait = FirstWait;
    }
}
