using System.Globalization;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The values of a pool's Server-Timing headers. Those of short times, which many requests share, are made once and kept; so a request that
/// takes next to nothing does not pay more for the text than for its work.
/// </summary>
/// <remarks>
/// Times below 10 ms have two significant digits, so that there are few of them. A table of a fixed size with a place for each hash: a
/// value that is not there is made, and takes the place. Thread-safe without a lock, since a value never changes.
/// </remarks>
internal sealed class ServerTimingValues
{
    private const int Places = 1024;
    private const int Short = 10_000; // microseconds

    private readonly Value?[] _kept = new Value?[Places];

    public string Get(TimeSpan queue, TimeSpan run, string? worker)
    {
        int queued = Rounded(queue), ran = Rounded(run);
        if (queued >= Short || ran >= Short) return Make(queue, run, worker);
        int place = ((queued * 31) + (ran * 521) + (worker is { Length: > 0 } ? worker[^1] * 7 : 0)) & (Places - 1);
        if (Volatile.Read(ref _kept[place]) is { } kept && kept.Is(queued, ran, worker)) return kept.Text;
        string text = Make(TimeSpan.FromMicroseconds(queued), TimeSpan.FromMicroseconds(ran), worker);
        Volatile.Write(ref _kept[place], new Value(queued, ran, worker, text));
        return text;
    }

    /// <summary>In whole numbers: to format a fraction costs several times as much.</summary>
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

    /// <summary>In microseconds.</summary>
    private static int Rounded(TimeSpan time)
    {
        int microseconds = (int)Math.Min(time.Ticks / TimeSpan.TicksPerMicrosecond, Short);
        return microseconds < 100 ? microseconds
            : microseconds < 1000 ? microseconds - (microseconds % 10)
            : microseconds - (microseconds % 100);
    }

    private sealed class Value(int queue, int run, string? worker, string text)
    {
        public string Text => text;

        public bool Is(int otherQueue, int otherRun, string? otherWorker) =>
            otherQueue == queue && otherRun == run && string.Equals(otherWorker, worker, StringComparison.Ordinal);
    }
}
