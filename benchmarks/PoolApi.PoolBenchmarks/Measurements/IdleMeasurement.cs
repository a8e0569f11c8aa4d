using System.Globalization;
using PoolApi.PoolBenchmarks.Processes;
using PoolApi.PoolBenchmarks.Reporting;
using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The processor time of a pool without work.</summary>
internal sealed class IdleMeasurement : IMeasurement
{
    // The kernel keeps 15 characters of a thread's name, by which this pool's threads are distinguished from all others.
    private const string PoolName = "idle-bench";

    private const int Workers = 64;

    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1), Watched = TimeSpan.FromSeconds(10);

    public string Name => "idle";

    public string Summary => $"{Workers} workers with nothing to do for {Watched.TotalSeconds:F0} s";

    public void Run(Settings settings, Report report)
    {
        if (!OperatingSystem.IsLinux())
        {
            Console.WriteLine($"{Name}: left out, it is read from /proc.");
            return;
        }
        using var pool = new FixedThreadPool(new FixedThreadPoolOptions { Name = PoolName, Workers = Workers });
        // Every worker runs items first, so that it waits for more.
        var burst = new ItemBurst(pool, Workers);
        for (int i = 0; i < 1000; i++) burst.Run();
        Heap.Settle();
        Thread.Sleep(Settling);

        Dictionary<(int Id, string Name), ThreadUsage> before = ThreadUsage.OfEachThread();
        Thread.Sleep(Watched);
        ThreadUsage ofPool = default, ofOthers = default;
        foreach (((int Id, string Name) thread, ThreadUsage usage) in ThreadUsage.OfEachThread())
        {
            // The main thread, which has the process's id, is busy with this measurement. A new thread has no earlier value.
            if (thread.Id == Environment.ProcessId || !before.TryGetValue(thread, out ThreadUsage earlier)) continue;
            if (thread.Name.StartsWith(PoolName, StringComparison.Ordinal)) ofPool += usage.Since(earlier);
            else ofOthers += usage.Since(earlier);
        }
        if (ofPool.Threads != Workers) throw new InvalidOperationException($"Of {Workers} workers, {ofPool.Threads} were found.");

        string title = $"{Name}, {Workers} workers, {Watched.TotalSeconds:F0} s";
        var table = new TextTable($"{title} (less is better)", "", "threads", "CPU ticks", "CPU µs", "wake-ups");
        foreach ((string name, ThreadUsage usage) in new[] { ("the pool's threads", ofPool), ("the runtime's threads", ofOthers) })
            table.Add(name, Figure(usage.Threads), Figure(usage.Ticks), Figure(usage.RunTime.TotalMicroseconds), Figure(usage.Switches));
        table.Print();
        report.Add(new Bar(title, "0 CPU ticks", Figure(ofPool.Ticks), ofPool.Ticks == 0));

        static string Figure(double value) => value.ToString("N0", CultureInfo.InvariantCulture);
    }
}
