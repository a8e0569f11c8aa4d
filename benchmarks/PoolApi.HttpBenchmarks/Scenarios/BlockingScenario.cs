using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>Blocking requests within the capacity: do the other routes of the server stay fast?</summary>
internal sealed class BlockingScenario : IScenario
{
    private const double Rate = 150, ServedBar = 149, Health50Bar = 5, Health99Bar = 25;
    private const int Rounds = 3;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10), Patience = TimeSpan.FromSeconds(5);

    public string Name => "blocking";

    public string Summary => $"{Rate:F0} requests/s that block for 100 ms, 20 workers (capacity 200/s)";

    public void Run(Settings settings, Report report, Overview overview)
    {
        var samples = new OutcomeSamples();
        Turns.Take(settings.Rounds ?? Rounds, settings.Contenders, kind =>
        {
            using var server = WarmServer.Start(kind, settings, Workload.Sleep);
            samples.Add(kind.Name, server.Measure(Rate, settings.Duration ?? Duration, Patience));
        });
        samples.Print($"{Name}: {Summary}");
        samples.AddTo(overview, Name, withRejected: false);

        string pool = ContenderCatalogue.PoolApi.Name;
        if (!samples.Served.Has(pool)) return;
        double served = samples.Served.Median(pool), health50 = samples.Health50.Median(pool), health99 = samples.Health99.Median(pool);
        report.Add(new Bar(
            $"{Name}, served", string.Create(CultureInfo.InvariantCulture, $"≥ {ServedBar}/s"), $"{Figures.Rate(served)}/s", served >= ServedBar));
        report.Add(new Bar($"{Name}, health p50", $"< {Health50Bar:F0} ms", $"{Figures.Time(health50)} ms", health50 < Health50Bar));
        report.Add(new Bar($"{Name}, health p99", $"< {Health99Bar:F0} ms", $"{Figures.Time(health99)} ms", health99 < Health99Bar));
    }
}
