using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>
/// The cost of the hop to another thread: requests without work, on the pool and in the handler of the same process, in turn.
/// The same is measured for Task.Run, for a queue with threads, and for the barest hop, which is the floor. All servers run
/// from the first round to the last, and take turns.
/// </summary>
internal sealed class HopScenario : IScenario
{
    private const double RatioBar = 0.95, FloorBar = 0.98;
    private const int Pairs = 7, Workers = 2, Connections = 32;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(3), CompilerPause = TimeSpan.FromMilliseconds(500);

    private static readonly ContenderKind[] Kinds = [ContenderCatalogue.PoolApi, ContenderCatalogue.TaskRun, ContenderCatalogue.Textbook];

    public string Name => "hop";

    public string Summary => $"requests for nothing, by way of the pool and in the handler ({Wrk.Describe(Connections)})";

    public void Run(Settings settings, Report report, Overview overview)
    {
        ContenderKind[] kinds = [.. Kinds.Where(settings.Contenders.Contains)];
        if (kinds.Length == 0) return;
        kinds = [.. kinds, ContenderCatalogue.Bare];
        TimeSpan duration = settings.Duration ?? Duration;
        Samples hops = new(), plain = new(), ratios = new();
        var servers = new Dictionary<ContenderKind, ServerProcess>();
        try
        {
            foreach (ContenderKind kind in kinds) servers.Add(kind, WarmedUp(kind));
            int pair = 0;
            Turns.Take(settings.Rounds ?? Pairs, kinds, kind => Measure(kind, servers[kind].Routes, isHopFirst: pair++ / kinds.Length % 2 == 0));
        }
        finally
        {
            foreach (ServerProcess server in servers.Values) server.Dispose();
        }

        var table = new TextTable(
            $"{Name}: {Summary} (requests/s, more is better)", "", "by the pool", "in the handler", "ratio", "lowest", "highest");
        foreach (string name in ratios.Names)
        {
            table.Add(
                name, Count(hops.Median(name)), Count(plain.Median(name)), Figures.Ratio(ratios.Median(name)),
                Figures.Ratio(ratios.Lowest(name)), Figures.Ratio(ratios.Highest(name)));
            overview.Add(name, $"{Name}: noop × plain", Figures.Ratio(ratios.Median(name)));
        }
        table.Print();
        AddBars();

        void AddBars()
        {
            string pool = ContenderCatalogue.PoolApi.Name, taskRun = ContenderCatalogue.TaskRun.Name, bare = ContenderCatalogue.Bare.Name;
            if (!ratios.Has(pool)) return;
            double reached = ratios.Median(pool);
            // If even the barest hop hardly reaches the bar against the handler, the bar is relative to the barest hop.
            report.Add(ratios.Median(bare) * FloorBar < RatioBar
                ? Bar.AtLeast($"{Name}, against the barest", FloorBar, bare, reached / ratios.Median(bare))
                : Bar.AtLeast(Name, RatioBar, "in the handler", reached));
            if (ratios.Has(taskRun)) report.Add(Bar.AtLeast($"{Name}, against Task.Run", 1, taskRun, reached / ratios.Median(taskRun)));
        }

        static string Count(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

        ServerProcess WarmedUp(ContenderKind kind)
        {
            ServerProcess server = kind.Start(settings, Workers);
            // Twice each, with a pause: the compiler optimizes code in steps, and only while no new code is compiled.
            foreach (Target target in new[] { server.Routes.Noop, server.Routes.Plain, server.Routes.Noop, server.Routes.Plain })
            {
                Wrk.Run(target, Connections, duration);
                Thread.Sleep(CompilerPause);
            }
            return server;
        }

        void Measure(ContenderKind kind, Routes routes, bool isHopFirst)
        {
            double hop = isHopFirst ? Wrk.Run(routes.Noop, Connections, duration) : 0;
            double none = Wrk.Run(routes.Plain, Connections, duration);
            if (!isHopFirst) hop = Wrk.Run(routes.Noop, Connections, duration);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {kind.Name}: {hop:N0} of {none:N0}/s"));
            hops.Add(kind.Name, hop);
            plain.Add(kind.Name, none);
            ratios.Add(kind.Name, hop / none);
        }
    }
}
