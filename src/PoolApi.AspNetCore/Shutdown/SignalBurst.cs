namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Counts signals that follow one another closely as one, and distinguishes the first signal from a second one. Thread-safe.</summary>
/// <remarks>
/// A supervisor may signal the process and its group, or repeat a signal, and mean one stop. The pause since the previous signal decides, not
/// the time since the first, because a busy machine runs the handlers of one burst far apart. A burst ends after one second at the latest.
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

    /// <summary>Classifies a signal that has just come.</summary>
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

/// <summary>The meaning of a signal.</summary>
internal enum SignalMeaning
{
    /// <summary>The first signal: begin the stop.</summary>
    Stop,

    /// <summary>Part of the same burst: ignore it.</summary>
    Same,

    /// <summary>A second signal: end the process at once.</summary>
    Now,
}
