using System.Collections.Concurrent;

namespace PoolApi.Telemetry;

/// <summary>Limits how often one event is logged, so that a client that causes it again and again cannot make the log grow.</summary>
/// <remarks>A token bucket for each event: a burst, then one line every <see cref="Pause"/>. Thread-safe.</remarks>
internal sealed class LogRateLimit(TimeProvider time)
{
    /// <summary>How many lines of one event may come at once.</summary>
    public const int Burst = 10;

    /// <summary>The time for each further line of an event after a burst.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(6);

    private readonly ConcurrentDictionary<int, Event> _events = new();
    private long _dropped;

    /// <summary>How many lines were left out.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Takes room for a line.</summary>
    /// <param name="eventId">The event, of one category.</param>
    /// <param name="leftOut">How many lines of this event were left out since the last one.</param>
    /// <returns>Whether there is room.</returns>
    public bool TryTake(int eventId, out long leftOut)
    {
        Event one = _events.GetOrAdd(eventId, static _ => new Event());
        lock (one)
        {
            // The time when the bucket is full again. Each line delays it by one pause.
            long now = time.GetTimestamp();
            long pause = (long)(Pause.TotalSeconds * time.TimestampFrequency);
            long full = Math.Max(one.FullAt ?? now, now);
            if (full - now > (Burst - 1) * pause)
            {
                one.LeftOut++;
                Interlocked.Increment(ref _dropped);
                leftOut = 0;
                return false;
            }
            one.FullAt = full + pause;
            (leftOut, one.LeftOut) = (one.LeftOut, 0);
            return true;
        }
    }

    private sealed class Event
    {
        public long? FullAt { get; set; }

        public long LeftOut { get; set; }
    }
}
