using System.Globalization;
using PoolApi.JobBenchmarks.Load;
using PoolApi.JobBenchmarks.Postgres;

namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>On the same PostgreSQL, in turn with Hangfire: accepting jobs, running many of them, and the latency of one.</summary>
internal sealed class PostgresScenario : IScenario
{
    private const string Other = "Hangfire";
    private const double AcceptsBar = 10, JobsBar = 20, LatencyBar = 1 / 5.0;
    private const int CallerCount = 16, Rounds = 3, Latencies = 100, WarmUpJobs = 200, WarmUpLatencies = 10;

    // The number of jobs for each second of a measurement: about what each contender can run.
    private const int JobsPerSecond = 4000, JobsPerSecondOfOther = 100;

    // The pauses between the jobs whose latency is measured. They are irregular, so that they do not coincide with polls.
    private const int ShortestPause = 20, LongestPause = 80, FirstPause = 1500;

    private static readonly int[] WorkerCounts = [2, 20];
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);

    public string Name => "postgres";

    public string Summary => $"accepts, jobs of no work and latency on PostgreSQL, in turn with Hangfire; {CallerCount} callers, 2 and 20 workers";

    public async Task RunAsync(Settings settings, Report report)
    {
        using PostgresServer server = PostgresServer.Start(settings);
        double seconds = (settings.Duration ?? Duration).TotalSeconds;
        var duel = new Duel(Name, "PoolApi", Other);
        foreach (int workers in WorkerCounts)
        {
            await MeasureAsync(server, PoolApiRunner.OpenAsync, workers, WarmUpJobs, WarmUpLatencies);
            await MeasureAsync(server, HangfireRunner.OpenAsync, workers, WarmUpJobs, WarmUpLatencies);
            await duel.RunAsync(
                settings.Rounds ?? Rounds,
                () => MeasureAsync(server, PoolApiRunner.OpenAsync, workers, (int)(seconds * JobsPerSecond), Latencies),
                () => MeasureAsync(server, HangfireRunner.OpenAsync, workers, (int)(seconds * JobsPerSecondOfOther), Latencies));
        }
        duel.Print($"{Name}: {Summary}");

        report.Add(Bar.AtLeast($"{Name}, {Accepts.Rate}", AcceptsBar, Other, duel.Ratio(Accepts.Rate)));
        foreach (int workers in WorkerCounts)
        {
            report.Add(Bar.AtLeast($"{Name}, {Jobs(workers)}", JobsBar, Other, duel.Ratio(Jobs(workers))));
            foreach (string percentile in new[] { "p50", "p99" })
                report.Add(Bar.AtMost($"{Name}, {Latency(workers, percentile)}", LatencyBar, Other, duel.Ratio(Latency(workers, percentile))));
        }
    }

    private static string Jobs(int workers) => string.Create(CultureInfo.InvariantCulture, $"jobs/s, {workers} workers");

    private static string Latency(int workers, string percentile) =>
        string.Create(CultureInfo.InvariantCulture, $"accept → start {percentile}, ms, {workers} workers");

    private static async Task<Figure[]> MeasureAsync(
        PostgresServer server, Func<string, int, Task<IJobRunner>> open, int workers, int jobs, int latencies)
    {
        await using PostgresDatabase database = await server.CreateDatabaseAsync();
        await using IJobRunner runner = await open(database.ConnectionString, workers);
        CallResult accepts = await runner.AcceptAsync(CallerCount, jobs);
        double rate = await runner.RunAllAsync();
        await Task.Delay(FirstPause);
        var times = new double[latencies];
        for (int i = 0; i < latencies; i++)
        {
            times[i] = await runner.AcceptToStartAsync();
            await Task.Delay(Random.Shared.Next(ShortestPause, LongestPause));
        }
        var latency = new CallResult(TimeSpan.FromSeconds(1), times);
        return
        [
            new(Accepts.Rate, accepts.PerSecond), new(Jobs(workers), rate),
            new(Latency(workers, "p50"), latency.Percentile(50)), new(Latency(workers, "p99"), latency.Percentile(99)),
        ];
    }
}
