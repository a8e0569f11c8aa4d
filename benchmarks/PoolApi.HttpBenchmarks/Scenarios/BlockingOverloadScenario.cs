using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>More blocking requests than the server has capacity for, from clients that give up.</summary>
internal sealed class BlockingOverloadScenario : IScenario
{
    private const double Rate = 500, ServedBar = 190, Rejected99Bar = 50;
    private const int Rounds = 3;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10), Patience = TimeSpan.FromSeconds(2);

    public string Name => "blocking-overload";

    public string Summary =>
        $"{Rate:F0} requests/s that block for 100 ms, 20 workers (capacity 200/s), clients give up after {Patience.TotalSeconds:F0} s";

    public void Run(Settings settings, Report report, Overview overview)
    {
        var samples = new OutcomeSamples();
        Turns.Take(settings.Rounds ?? Rounds, settings.Contenders, kind =>
        {
            using var server = WarmServer.Start(kind, settings, Workload.Sleep);
            samples.Add(kind.Name, server.Measure(Rate, settings.Duration ?? Duration, Patience));
        });
        samples.Print($"{Name}: {Summary}");
        samples.AddTo(overview, Name, withRejected: true);

        string pool = ContenderCatalogue.PoolApi.Name;
        if (!samples.Served.Has(pool)) return;
        double served = samples.Served.Median(pool);
        report.Add(new Bar($"{Name}, served", $"≥ {ServedBar:F0}/s", $"{Figures.Rate(served)}/s", served >= ServedBar));
        // A server that rejects no request in an overload makes all of them wait, so it does not pass.
        double? rejected99 = samples.Rejected99.Has(pool) ? samples.Rejected99.Median(pool) : null;
        report.Add(new Bar(
            $"{Name}, rejected p99", $"< {Rejected99Bar:F0} ms", rejected99 is null ? "none rejected" : $"{Figures.Time(rejected99)} ms",
            rejected99 < Rejected99Bar));
    }
}
