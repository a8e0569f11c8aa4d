using System.Diagnostics;
using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>A long overload that stops: how the service is afterwards.</summary>
internal sealed class StopScenario : IScenario
{
    private const double Overload = 5, Afterwards = 0.5;

    private static readonly ContenderKind[] Kinds = [ContenderCatalogue.PoolApi, ContenderCatalogue.Limiter];

    private static readonly TimeSpan
        Duration = TimeSpan.FromSeconds(60), Patience = TimeSpan.FromSeconds(1), Pause = TimeSpan.FromSeconds(2),
        AfterDuration = TimeSpan.FromSeconds(5), SampleEvery = TimeSpan.FromMilliseconds(500);

    public string Name => "stop";

    public string Summary =>
        $"{Overload:F0} × capacity in 25,000 iterations of PBKDF2, 2 workers; {Pause.TotalSeconds:F0} s after it has stopped, half of capacity";

    public void Run(Settings settings, Report report, Overview overview)
    {
        var table = new TextTable(
            $"{Name}: {Summary}", "", "served/s", "of capacity", "afterwards p99 ms", "health p99 ms", "RSS MB", "RSS growth MB/min");
        TimeSpan duration = settings.Duration ?? Duration;
        foreach (ContenderKind kind in Kinds.Where(settings.Contenders.Contains))
        {
            using var server = WarmServer.Start(kind, settings, Workload.Hash);
            double capacity = server.MeasureCapacity();
            Task<double> growth = GrowthAsync(server, duration);
            Outcome under = server.Measure(Overload * capacity, duration, Patience);
            double resident = server.ResidentBytes / 1e6, slope = growth.GetAwaiter().GetResult();
            Thread.Sleep(Pause);
            Outcome after = server.Measure(Afterwards * capacity, AfterDuration, Patience);
            table.Add(
                kind.Name, Figures.Rate(under.Served), Figures.Ratio(under.Served / capacity), Figures.Time(after.Served99),
                Figures.Time(after.Health99), Megabytes(resident), Megabytes(slope));
            overview.Add(kind.Name, $"{Name}: of capacity", Figures.Ratio(under.Served / capacity));
            overview.Add(kind.Name, "afterwards p99 ms", Figures.Time(after.Served99));
            overview.Add(kind.Name, "RSS growth MB/min", Megabytes(slope));
        }
        table.Print();

        static string Megabytes(double value) => value.ToString("N1", CultureInfo.InvariantCulture);
    }

    /// <summary>The growth of its memory in the last two thirds of the load: the slope of the line through the samples, by least squares.</summary>
    /// <returns>Megabytes per minute.</returns>
    private static Task<double> GrowthAsync(WarmServer server, TimeSpan duration) => Task.Run(async () =>
    {
        var samples = new List<(double Minutes, double Megabytes)>();
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < duration)
        {
            if (clock.Elapsed > duration / 3) samples.Add((clock.Elapsed.TotalMinutes, server.ResidentBytes / 1e6));
            await Task.Delay(SampleEvery);
        }
        double meanTime = samples.Average(s => s.Minutes), mean = samples.Average(s => s.Megabytes);
        return samples.Sum(s => (s.Minutes - meanTime) * (s.Megabytes - mean)) / samples.Sum(s => (s.Minutes - meanTime) * (s.Minutes - meanTime));
    });
}
