using System.Globalization;
using PoolApi.PoolBenchmarks.Reporting;
using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The bytes that the whole process allocates per item, after a warm-up.</summary>
internal sealed class AllocationMeasurement : IMeasurement
{
    private const string Submitted = "TrySubmit, reused items", Awaited = "RunAsync with state, awaited";

    // Half of the queue, so that no caller waits for space, which is not measured here.
    private const int Capacity = 1024, Burst = Capacity / 2;

    // The runtime itself allocates now and then. Less than one byte per hundred items is not an allocation of the items.
    private const double Nothing = 0.01;

    public string Name => "allocation";

    public string Summary => "bytes per item in steady state, of the whole process";

    public void Run(Settings settings, Report report)
    {
        Samples samples = Rounds.Run(
            settings.Rounds,
            [
                new Contender(Submitted, () => [Submit(settings)]),
                new Contender(Awaited, () =>
                {
                    using FixedThreadPool pool = Make(settings);
                    return [CallAsync(pool, settings.Items).GetAwaiter().GetResult()];
                }),
            ])[0];

        var table = new TextTable($"{Name} (B/item)", "", "median", "lowest", "highest");
        foreach (string name in samples.Names)
        {
            double bytes = samples.Median(name);
            table.Add(name, Figure(bytes), Figure(samples.Lowest(name)), Figure(samples.Highest(name)));
            report.Add(new Bar($"allocation, {name}", "0 B/item", Figure(bytes), bytes < Nothing));
        }
        table.Print();

        static string Figure(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
    }

    private static FixedThreadPool Make(Settings settings) =>
        new(new FixedThreadPoolOptions { Name = "bench", Workers = settings.Workers, QueueCapacity = Capacity });

    private static double Submit(Settings settings)
    {
        using FixedThreadPool pool = Make(settings);
        var burst = new ItemBurst(pool, Burst);
        int bursts = Math.Max(settings.Items / Burst, 1);
        for (int i = 0; i < Math.Max(bursts / 4, 10); i++) burst.Run();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < bursts; i++) burst.Run();
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / ((double)bursts * Burst);
    }

    private static async Task<double> CallAsync(FixedThreadPool pool, int calls)
    {
        long sum = 0, before = 0;
        int warmUp = Math.Max(calls / 4, 1000);
        for (int i = 0; i < warmUp + calls; i++)
        {
            if (i == warmUp) before = GC.GetTotalAllocatedBytes(precise: true);
            sum += await pool.RunAsync(static number => number + 1, i);
        }
        long bytes = GC.GetTotalAllocatedBytes(precise: true) - before;
        return sum > 0 ? bytes / (double)calls : throw new InvalidOperationException("Nothing ran.");
    }
}
