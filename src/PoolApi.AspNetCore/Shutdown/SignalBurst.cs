namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Tells a signal that means "now" from one that is still the first: signals that follow one another closely are one.</summary>
/// <remarks>
/// A supervisor that signals the process and its group, or one that repeats itself, means one stop. What counts is the time
/// since the signal before, not since the first: on a busy machine the handlers of one burst run far apart. But however
/// closely they follow, a second after the first whoever signals means it.
/// </remarks>
internal sealed class SignalBurst(TimeProvider time)
{
    /// <summary>The longest pause within a burst.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(150);

    /// <summary>The longest burst.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private long? _first;
    private long _last;

    /// <summary>A signal has come.</summary>
    public SignalMeaning Next()
    {
        lock (_lock)
        {
            long now = time.GetTimestamp();
            if (_first is not { } first)
            {
                _first = _last = now;
                return SignalMeaning.Stop;
            }
            bool same = time.GetElapsedTime(_last, now) < Pause && time.GetElapsedTime(first, now) < Longest;
            _last = now;
            return same ? SignalMeaning.Same : SignalMeaning.Now;
        }
    }
}

/// <summary>What a signal asks for.</summary>
internal enum SignalMeaning
{
    /// <summary>The first: stop.</summary>
    Stop,

    /// <summary>The same once more.</summary>
    Same,

    /// <summary>A second: end at once.</summary>
    Now,
}
