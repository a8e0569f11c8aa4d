using System.Diagnostics;
using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>How long one caller blocks from posting an item until it has the result, on an otherwise idle peer.</summary>
internal sealed class RoundTripMeasurement : IMeasurement
{
    private const int Capacity = 1024, Answer = 42;

    private const double BarToBest = 1.0;

    public string Name => "round-trip";

    public string Summary => "one caller submits and blocks until it has the result";

    public void Run(Settings settings, Report report)
    {
        IReadOnlyList<PeerKind> kinds = settings.Contenders(PeerCatalogue.Peers);
        Samples[] samples = Rounds.Run(settings.ManyRounds, [.. kinds.Select(kind => new Contender(kind.Name, () =>
        {
            using IPeer peer = kind.Create(settings.Workers, Capacity);
            Call(peer, Math.Max(settings.Pings / 10, 100));
            Heap.Settle();
            return Percentiles.MedianAnd99th(Call(peer, settings.Pings));
        }))]);

        string[] percentiles = ["p50", "p99"];
        foreach ((string percentile, Samples figures) in percentiles.Zip(samples))
        {
            string title = $"round trip, {percentile}";
            var comparison = new Comparison(figures, moreIsBetter: false, PeerCatalogue.Peers);
            comparison.Print(title, "µs", "F1");
            if (comparison.ToBest(PeerCatalogue.PoolApi.Name) is { } toBest) report.Add(Bar.AtMost(title, BarToBest, "best peer", toBest));
        }
    }

    /// <returns>The time of each call, in microseconds.</returns>
    private static double[] Call(IPeer peer, int calls)
    {
        var times = new double[calls];
        for (int i = 0; i < calls; i++)
        {
            long calledAt = Stopwatch.GetTimestamp();
            int answer = peer.Call(static () => Answer);
            times[i] = Stopwatch.GetElapsedTime(calledAt).TotalMicroseconds;
            if (answer != Answer) throw new InvalidOperationException($"The answer was {answer}.");
        }
        return times;
    }
}
