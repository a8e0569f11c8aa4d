using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>What it costs that work goes to another thread: requests for nothing, on the pool and in the handler, in turn, of the
/// same process.</summary>
internal sealed class HopScenario : IScenario
{
    private const double RatioBar = 0.95;
    private const int Pairs = 7, Workers = 2;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(3), CompilerPause = TimeSpan.FromMilliseconds(500);

    private static readonly ContenderKind[] Kinds = [ContenderCatalogue.PoolApi, ContenderCatalogue.TaskRun, ContenderCatalogue.Textbook];

    public string Name => "hop";

    public string Summary => $"requests for nothing, by way of the pool and in the handler ({Wrk.Description})";

    public void Run(Settings settings, Report report, Overview overview)
    {
        Samples hops = new(), plain = new(), ratios = new();
        foreach (ContenderKind kind in Kinds.Where(settings.Contenders.Contains)) Measure(kind);
        if (ratios.Names.Count == 0) return;

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
        string pool = ContenderCatalogue.PoolApi.Name;
        if (ratios.Has(pool)) report.Add(Bar.AtLeast(Name, RatioBar, "in the handler", ratios.Median(pool)));

        static string Count(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

        void Measure(ContenderKind kind)
        {
            using ServerProcess server = kind.Start(settings, Workers);
            TimeSpan duration = settings.Duration ?? Duration;
            // Twice each, with a pause: the compiler improves code in steps, and only while nothing new is compiled.
            foreach (Target target in new[] { server.Routes.Noop, server.Routes.Plain, server.Routes.Noop, server.Routes.Plain })
            {
                Wrk.Run(target, duration);
                Thread.Sleep(CompilerPause);
            }
            for (int i = 0; i < (settings.Rounds ?? Pairs); i++)
            {
                double hop, none;
                if (i % 2 == 0)
                {
                    hop = Wrk.Run(server.Routes.Noop, duration);
                    none = Wrk.Run(server.Routes.Plain, duration);
                }
                else
                {
                    none = Wrk.Run(server.Routes.Plain, duration);
                    hop = Wrk.Run(server.Routes.Noop, duration);
                }
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {kind.Name}: {hop:N0} of {none:N0}/s"));
                hops.Add(kind.Name, hop);
                plain.Add(kind.Name, none);
                ratios.Add(kind.Name, hop / none);
            }
        }
    }
}
