using System.Globalization;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// A cache of the values of a pool's Server-Timing headers. Short times, which many requests share, are formatted once, so a request that
/// takes very little time does not spend more on the text than on its work.
/// </summary>
/// <remarks>
/// If both times are below 10 ms, they are rounded: those below 1 ms to 0.01 ms, the others to 0.1 ms. So there are few different values, which stay in the processor's cache. The
/// table has a fixed size, with one slot for each hash: a missing value is created and takes the slot. Thread-safe without a lock, because a value never changes.
/// </remarks>
internal sealed class ServerTimingValues
{
    private const int Slots = 1024;

    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(10);

    private readonly Value?[] _kept = new Value?[Slots];

    public string Get(TimeSpan queue, TimeSpan run, string? worker)
    {
        if (queue >= Short || run >= Short) return Make(queue, run, worker);
        int queued = Rounded(queue), ran = Rounded(run);
        int slot = ((queued * 31) + (ran * 521) + (worker is { Length: > 0 } ? worker[^1] * 7 : 0)) & (Slots - 1);
        if (Volatile.Read(ref _kept[slot]) is { } kept && kept.Is(queued, ran, worker)) return kept.Text;
        string text = Make(TimeSpan.FromMicroseconds(queued), TimeSpan.FromMicroseconds(ran), worker);
        Volatile.Write(ref _kept[slot], new Value(queued, ran, worker, text));
        return text;
    }

    /// <summary>Formats with whole numbers, because formatting a fraction costs several times as much.</summary>
    public static (long Ms, int Fraction) Milliseconds(TimeSpan time)
    {
        long microseconds = time.Ticks / TimeSpan.TicksPerMicrosecond;
        return (microseconds / 1000, (int)(microseconds % 1000));
    }

    private static string Make(TimeSpan queue, TimeSpan run, string? worker)
    {
        var (queueMs, queueFraction) = Milliseconds(queue);
        var (runMs, runFraction) = Milliseconds(run);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"queue;dur={queueMs}.{queueFraction:D3}, run;dur={runMs}.{runFraction:D3}, worker;desc=\"{worker}\"");
    }

    /// <summary>Converts a time below <see cref="Short"/> to microseconds, rounded.</summary>
    private static int Rounded(TimeSpan time)
    {
        int microseconds = (int)(time.Ticks / TimeSpan.TicksPerMicrosecond);
        int step = microseconds < 1000 ? 10 : 100;
        return (microseconds + (step / 2)) / step * step;
    }

    private sealed class Value(int queue, int run, string? worker, string text)
    {
        public string Text => text;

        public bool Is(int otherQueue, int otherRun, string? otherWorker) =>
            otherQueue == queue && otherRun == run && string.Equals(otherWorker, worker, StringComparison.Ordinal);
    }
}
