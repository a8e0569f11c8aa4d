using System.Globalization;
using PoolApi.HttpBenchmarks.Load;
using PoolApi.JobBenchmarks.Load;
using PoolApi.JobBenchmarks.Stores;
using PoolApi.Jobs;
using PoolApi.Jobs.Sqlite;

namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>The effect of queued jobs on clients that wait: synchronous thumbnails of an otherwise idle service, and of one with queued jobs.</summary>
/// <remarks>
/// Each measurement starts the service again, one with an empty store, the other with a store that is filled up to
/// <see cref="Waiting"/> jobs before the start: a service without requests would run the jobs.
/// </remarks>
internal sealed class BacklogScenario : IScenario
{
    private const string Rate = "thumbnails/s", Median = "p50, ms", Slowest = "p99, ms";
    private const double RateBar = 0.95;
    private const int Clients = 16, Waiting = 10_000, FillCallers = 64, Rounds = 7, Ok = 200;
    private const string Route = "/v1/thumbnails", Query = "?width=320", Kind = "thumbnails";

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10), WarmUp = TimeSpan.FromSeconds(4);

    public string Name => "sync-with-backlog";

    public string Summary => $"synchronous thumbnails, {Clients} clients in a closed loop, with {Waiting:N0} jobs waiting and with none";

    public async Task RunAsync(Settings settings, Report report)
    {
        TimeSpan duration = settings.Duration ?? Duration;
        byte[] image = SampleImage.Make();
        using var folder = new DataFolder(settings);
        string filled = folder.File("filled.db");
        var duel = new Duel(Name, "with jobs", "without");
        await duel.RunAsync(
            settings.Rounds ?? Rounds,
            async () =>
            {
                await FillAsync(filled, image);
                Figure[] figures = await MeasureAsync(settings, filled, image, duration);
                long left = await CountAsync(filled);
                Console.Error.WriteLine($"  {Name}: {Waiting - left} of {Waiting} jobs were run meanwhile");
                if (left < Waiting / 2) throw new InvalidOperationException("Too few jobs were left waiting: give it less time.");
                return figures;
            },
            async () =>
            {
                using var empty = new DataFolder(settings);
                return await MeasureAsync(settings, empty.File("jobs.db"), image, duration);
            });
        duel.Print(string.Create(CultureInfo.InvariantCulture, $"{Name}: {Summary}; an image of {image.Length:N0} bytes"));
        report.Add(Bar.AtLeast($"{Name}, {Rate}", RateBar, "without", duel.Ratio(Rate)));
    }

    private static async Task<Figure[]> MeasureAsync(Settings settings, string path, byte[] image, TimeSpan duration)
    {
        using ServerProcess service = PoolApiProgram.Start(settings.PoolApi, "--Jobs:Store", "sqlite", "--Jobs:Path", path);
        var target = new Target(new Uri(service.Routes.Base, Route + Query), "POST", [$"Content-Type: {SampleImage.ContentType}"], image);
        using var clients = new HttpCallers(target, Clients, Ok);
        await clients.RunAsync(WarmUp);
        CallResult calls = await clients.RunAsync(duration);
        return [new(Rate, calls.PerSecond), new(Median, calls.Percentile(50)), new(Slowest, calls.Percentile(99))];
    }

    private static async Task FillAsync(string path, byte[] image)
    {
        await using SqliteJobStore store = await OpenAsync(path);
        int missing = Waiting - (int)await CountAsync(store);
        var payload = new JobPayload(image, "POST", Route, Query, SampleImage.ContentType);
        await Callers.TimesAsync(FillCallers, Math.Max(0, missing), async _ =>
            await store.AcceptAsync(new NewJob { Kind = Kind, MaxAttempts = 3, Payload = payload }, CancellationToken.None));
    }

    private static async Task<long> CountAsync(string path)
    {
        await using SqliteJobStore store = await OpenAsync(path);
        return await CountAsync(store);
    }

    private static async Task<long> CountAsync(SqliteJobStore store) =>
        (await store.CountAsync(CancellationToken.None)).GetValueOrDefault(JobState.Queued);

    private static async Task<SqliteJobStore> OpenAsync(string path)
    {
        var store = new SqliteJobStore(path, TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }
}
