using PoolApi.JobBenchmarks.Load;
using PoolApi.JobBenchmarks.Peers;
using PoolApi.JobBenchmarks.Stores;
using PoolApi.Jobs.Sqlite;

namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>The gain of shared commits: durable accepts at the store's own interface, and at a store that commits each job.</summary>
internal sealed class SqliteAcceptScenario : IScenario
{
    private const string Other = "one commit each";
    private const double RateBar = 10, SlowestBar = 1;
    private const int CallerCount = 64, Rounds = 7, WarmUps = 3;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(5), WarmUp = TimeSpan.FromMilliseconds(500);

    public string Name => "sqlite-accept";

    public string Summary => $"durable accepts at the SQLite store's interface, {CallerCount} callers, and at one that commits each";

    public async Task RunAsync(Settings settings, Report report)
    {
        TimeSpan duration = settings.Duration ?? Duration;
        // More than once, with pauses: the compiler optimizes code in steps, and only while no new code is compiled.
        for (int i = 0; i < WarmUps; i++)
        {
            await MeasureSharedAsync(settings, WarmUp);
            await MeasureSingleAsync(settings, WarmUp);
        }
        var duel = new Duel(Name, "PoolApi", Other);
        await duel.RunAsync(
            settings.Rounds ?? Rounds, () => MeasureSharedAsync(settings, duration), () => MeasureSingleAsync(settings, duration));
        duel.Print($"{Name}: {Summary}");
        report.Add(Bar.AtLeast($"{Name}, {Accepts.Rate}", RateBar, Other, duel.Ratio(Accepts.Rate)));
        report.Add(Bar.AtMost($"{Name}, {Accepts.Slowest}", SlowestBar, Other, duel.Ratio(Accepts.Slowest)));
    }

    private static async Task<Figure[]> MeasureSharedAsync(Settings settings, TimeSpan duration)
    {
        using var folder = new DataFolder(settings);
        await using var store = new SqliteJobStore(folder.File("jobs.db"), TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        return Accepts.Of(await Callers.ForAsync(
            CallerCount, duration, async _ => await store.AcceptAsync(SampleJobs.Noop(), CancellationToken.None)));
    }

    private static async Task<Figure[]> MeasureSingleAsync(Settings settings, TimeSpan duration)
    {
        using var folder = new DataFolder(settings);
        using var store = new OneCommitStore(folder.File("jobs.db"));
        return Accepts.Of(await Callers.ForAsync(CallerCount, duration, _ => store.AcceptAsync(SampleJobs.Noop())));
    }
}
