using System.Diagnostics;
using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>A new process that has served enough requests to reach its full speed, and was never overloaded.</summary>
internal sealed class WarmServer : IDisposable
{
    private const double ProbeRate = 20;
    private const int TrifleConnections = 8, CapacityConnections = 4;

    private static readonly TimeSpan
        Trifles = TimeSpan.FromSeconds(2), Work = TimeSpan.FromSeconds(1), CompilerPause = TimeSpan.FromMilliseconds(500),
        Capacity = TimeSpan.FromSeconds(3), ProbePatience = TimeSpan.FromSeconds(10);

    private readonly ContenderKind _kind;
    private readonly ServerProcess _process;
    private readonly Workload _workload;

    private WarmServer(ContenderKind kind, ServerProcess process, Workload workload)
    {
        _kind = kind;
        _process = process;
        _workload = workload;
    }

    public long ResidentBytes => _process.ResidentBytes;

    public static WarmServer Start(ContenderKind kind, Settings settings, Workload workload)
    {
        ServerProcess process = kind.Start(settings, workload.Workers);
        try
        {
            var health = Task.Run(() => ClosedLoop.RunAsync(new Target(process.Routes.Health), 1, Trifles));
            ClosedLoop.Run(workload.Trifle(process.Routes), TrifleConnections, Trifles);
            health.GetAwaiter().GetResult();
            Thread.Sleep(CompilerPause);
            // The server estimates from these requests how long a request takes.
            ClosedLoop.Run(workload.Request(process.Routes), workload.Workers, Work);
            return new WarmServer(kind, process, workload);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    /// <summary>The requests that it serves per second without overload.</summary>
    public double MeasureCapacity() => ClosedLoop.Run(_workload.Request(_process.Routes), CapacityConnections, Capacity);

    /// <summary>Puts it under load, and requests its health check meanwhile.</summary>
    public Outcome Measure(double rate, TimeSpan duration, TimeSpan patience)
    {
        TimeSpan usedBefore = Environment.CpuUsage.TotalTime;
        long startedAt = Stopwatch.GetTimestamp();
        Task<LoadResult> work = OpenLoop.RunAsync(new LoadPlan(_workload.Request(_process.Routes), rate, duration, patience));
        Task<LoadResult> probes = OpenLoop.RunAsync(new LoadPlan(new Target(_process.Routes.Health), ProbeRate, duration, ProbePatience));
        LoadResult load = work.GetAwaiter().GetResult(), health = probes.GetAwaiter().GetResult();
        // How many processors the clients used.
        double used = (Environment.CpuUsage.TotalTime - usedBefore) / Stopwatch.GetElapsedTime(startedAt);
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  {_kind.Name}: {load.Served} served, {load.Rejected} rejected, {load.GaveUp} gave up, {load.Others} others; "
            + $"the load used {used:F2} processors"));
        return new Outcome(
            load.ServedPerSecond(_workload.Takes), load.ServedPercentile(99), load.RejectedPercentile(99),
            health.Percentile(50), health.Percentile(99));
    }

    public void Dispose() => _process.Dispose();
}
