using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>
/// More computing than the processors can do, for clients that give up: how much of the work still reaches a client that waits
/// for it? PoolApi and its nearest rival take turns, a pair of measurements each time; the others are measured once.
/// </summary>
internal sealed class CpuOverloadScenario : IScenario
{
    private const double Rate = 1000, ServedBar = 1.0, Health99Bar = 0.5;
    private const int Pairs = 5;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10), Patience = TimeSpan.FromSeconds(1);

    private static readonly ContenderKind Pool = ContenderCatalogue.PoolApi, Rival = ContenderCatalogue.Limiter;

    public string Name => "cpu-overload";

    public string Summary =>
        $"{Rate:F0} requests/s for 25,000 iterations of PBKDF2, 2 workers, clients give up after {Patience.TotalSeconds:F0} s";

    public void Run(Settings settings, Report report, Overview overview)
    {
        var outcomes = new OutcomeSamples();
        Samples capacity = new(), ofCapacity = new();
        ContenderKind[] pair = [.. settings.Contenders.Where(kind => kind == Pool || kind == Rival)];
        var ratios = new Samples();
        Outcome? own = null, rivals = null;
        Turns.Take(settings.Rounds ?? Pairs, pair, kind =>
        {
            Outcome outcome = Measure(kind);
            if (kind == Pool) own = outcome;
            else rivals = outcome;
            if (own is not { } a || rivals is not { } b) return;
            ratios.Add(nameof(Outcome.Served), a.Served / b.Served);
            ratios.Add(nameof(Outcome.Health99), a.Health99 / b.Health99);
            own = rivals = null;
        });
        foreach (ContenderKind kind in settings.Contenders.Except(pair)) Measure(kind);

        outcomes.Print(
            $"{Name}: {Summary}",
            ("capacity/s", name => Figures.Rate(capacity.Median(name))),
            ("of capacity", name => Figures.Ratio(ofCapacity.Median(name))),
            ($"× {Rival.Name}", ToRival));
        outcomes.AddTo(overview, Name, withRejected: true);
        foreach (string name in outcomes.Served.Names)
        {
            overview.Add(name, $"× {Rival.Name}", ToRival(name));
            overview.Add(name, "of capacity", Figures.Ratio(ofCapacity.Median(name)));
        }

        if (!ratios.Has(nameof(Outcome.Served))) return;
        report.Add(Bar.AtLeast($"{Name}, served", ServedBar, Rival.Name, ratios.Median(nameof(Outcome.Served))));
        report.Add(Bar.AtMost($"{Name}, health p99", Health99Bar, Rival.Name, ratios.Median(nameof(Outcome.Health99))));

        Outcome Measure(ContenderKind kind)
        {
            using var server = WarmServer.Start(kind, settings, Workload.Hash);
            double most = server.MeasureCapacity();
            Outcome outcome = server.Measure(Rate, settings.Duration ?? Duration, Patience);
            outcomes.Add(kind.Name, outcome);
            capacity.Add(kind.Name, most);
            ofCapacity.Add(kind.Name, outcome.Served / most);
            return outcome;
        }

        // The ratio of the pairs, if there are any: both measurements of a pair meet the same state of the machine.
        string ToRival(string name) =>
            name == Pool.Name && ratios.Has(nameof(Outcome.Served)) ? Figures.Ratio(ratios.Median(nameof(Outcome.Served)))
            : outcomes.Served.Has(Rival.Name) ? Figures.Ratio(outcomes.Served.Median(name) / outcomes.Served.Median(Rival.Name))
            : Figures.None;
    }
}
