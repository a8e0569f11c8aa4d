using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>
/// Many more clients than workers, whose requests all block: how fast is a request beside them that needs no worker? Compared with
/// threads on a channel.
/// </summary>
internal sealed class NeighbourScenario : IScenario
{
    private const int Clients = 100, Workers = 8, Milliseconds = 100, Rounds = 7;
    private const double PingRate = 100, Percent = 99, RatioBar = 1.0;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10), WarmUp = TimeSpan.FromSeconds(2), Patience = TimeSpan.FromSeconds(10);

    public string Name => "neighbour";

    public string Summary => $"{Clients} clients whose requests block for {Milliseconds} ms on {Workers} threads, and pings beside them";

    public void Run(Settings settings, Report report, Overview overview)
    {
        if (!settings.Contenders.Contains(ContenderCatalogue.PoolApi)) return;
        Samples pings = new(), ratios = new();
        ContenderKind[] kinds = [ContenderCatalogue.PoolApi, ContenderCatalogue.Channel];
        var last = new Dictionary<ContenderKind, double>();
        for (int round = 0; round < (settings.Rounds ?? Rounds); round++)
        {
            foreach (ContenderKind kind in round % 2 == 0 ? kinds : kinds.Reverse()) pings.Add(kind.Name, last[kind] = Measure(kind));
            ratios.Add(Name, last[kinds[0]] / last[kinds[1]]);
        }

        SpreadTable.Print($"{Name}: {Summary} (p{Percent:F0} of a ping in ms, less is better)", pings);
        foreach (string name in pings.Names) overview.Add(name, $"{Name}: ping p99 ms", Figures.Ratio(pings.Median(name)));
        report.Add(Bar.AtMost($"{Name}, ping p99", RatioBar, ContenderCatalogue.Channel.Name, ratios.Median(Name)));

        double Measure(ContenderKind kind)
        {
            using ServerProcess server = kind.Start(settings, Workers);
            ClosedLoop.Run(server.Routes.Sleep(1), Workers, WarmUp);
            ClosedLoop.Run(server.Routes.Plain, Workers, WarmUp);
            TimeSpan duration = settings.Duration ?? Duration;
            Task<double> work = Task.Run(() => ClosedLoop.RunAsync(server.Routes.Sleep(Milliseconds), Clients, duration));
            LoadResult ping = OpenLoop.RunAsync(new LoadPlan(server.Routes.Plain, PingRate, duration, Patience)).GetAwaiter().GetResult();
            double served = work.GetAwaiter().GetResult(), p99 = ping.Percentile(Percent);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {kind.Name}: ping p99 {p99:F1} ms, {served:F0} blocking requests/s"));
            return p99;
        }
    }
}
