using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>The health check while every worker computes, compared with that of the idle service; in one process, in turn.</summary>
internal sealed class SaturationScenario : IScenario
{
    private const int Clients = 8, Workers = 2, Iterations = 25_000, Rounds = 7;
    private const double ProbeRate = 50, Percent = 99, RatioBar = 3.0;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10), WarmUp = TimeSpan.FromSeconds(2), Patience = TimeSpan.FromSeconds(10);

    public string Name => "saturation";

    public string Summary => $"health while {Clients} clients keep {Workers} workers computing, and while nothing happens";

    public void Run(Settings settings, Report report, Overview overview)
    {
        ContenderKind pool = ContenderCatalogue.PoolApi;
        if (!settings.Contenders.Contains(pool)) return;
        TimeSpan duration = settings.Duration ?? Duration;
        var samples = new Samples();
        using ServerProcess server = pool.Start(settings, Workers);
        var health = new Target(server.Routes.Health);
        ClosedLoop.Run(server.Routes.Hash(100), Clients, WarmUp);
        ClosedLoop.Run(health, 1, WarmUp);
        for (int round = 0; round < (settings.Rounds ?? Rounds); round++)
        {
            double idle = round % 2 == 0 ? Probe() : 0;
            Task<double> work = Task.Run(() => ClosedLoop.RunAsync(server.Routes.Hash(Iterations), Clients, duration));
            double busy = Probe();
            double served = work.GetAwaiter().GetResult();
            if (round % 2 != 0) idle = Probe();
            samples.Add("idle", idle);
            samples.Add("saturated", busy);
            samples.Add("ratio", busy / idle);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {busy:F2} of {idle:F2} ms, {served:F0} hashes/s"));
        }

        SpreadTable.Print($"{Name}: {Summary} (p{Percent:F0} of health in ms, less is better)", samples);
        overview.Add(pool.Name, $"{Name}: health p99, saturated ÷ idle", Figures.Ratio(samples.Median("ratio")));
        report.Add(Bar.AtMost($"{Name}, health p99", RatioBar, "idle", samples.Median("ratio")));

        double Probe() => OpenLoop.RunAsync(new LoadPlan(health, ProbeRate, duration, Patience)).GetAwaiter().GetResult().Percentile(Percent);
    }
}
