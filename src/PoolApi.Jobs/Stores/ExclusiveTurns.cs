namespace PoolApi.Jobs.Stores;

/// <summary>Shares an instance between one job that must run alone and all other jobs. Not thread-safe.</summary>
/// <remarks>
/// <code>
///   others run ──IsDue──► nothing is claimed, until those that run have ended ──Began──► the one runs alone ─► others run, for as long
///                              └── that takes too long ─► others run, for as long; the next wait may be twice as long
/// </code>
/// So neither waits for ever: the others have half of the time, and a wait is in the end longer than any job.
/// </remarks>
internal sealed class ExclusiveTurns
{
    /// <summary>How long the instance claims nothing at first, for those that run to end.</summary>
    public static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(10);

    /// <summary>How long a job has its instance for itself, if it was beside two deaths; with each further one, twice as long.</summary>
    public static readonly TimeSpan FirstAlone = TimeSpan.FromMinutes(1);

    private TimeSpan _longestWait = FirstWait;
    private TimeSpan? _waitingSince;
    private TimeSpan? _aloneSince;
    private TimeSpan _notBefore;

    /// <summary>How long a job that was running at so many deaths has its instance for itself; others may join it afterwards.</summary>
    public static TimeSpan AloneFor(int suspicion) => FirstAlone * Math.Pow(2, Math.Clamp(suspicion - 2, 0, 16));

    /// <summary>One waits to run alone, and none does so now.</summary>
    /// <param name="now">By a clock that cannot jump.</param>
    /// <returns>Whether it is its turn: nothing else is claimed.</returns>
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

    /// <summary>It runs alone from now on.</summary>
    /// <param name="now">By the same clock.</param>
    public void Began(TimeSpan now)
    {
        _aloneSince = now;
        _waitingSince = null;
        _longestWait = FirstWait;
    }
}
