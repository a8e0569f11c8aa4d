using System.Diagnostics;
using PoolApi.JobBenchmarks.Load;
using PoolApi.JobBenchmarks.Postgres;
using PoolApi.JobBenchmarks.Stores;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;

namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>Whether anything becomes slow as jobs pile up: the same operations with a million jobs in the store, and with a thousand.</summary>
/// <remarks>
/// The small store is made again for each round. Otherwise the accepted jobs would make it a large one. Claimed jobs are
/// handed back.
/// </remarks>
internal sealed class MillionScenario : IScenario
{
    private const string
        Status = "status", Claim = "claim 10", Accept = "accept, 64 callers", ListOfState = "list, kind and state",
        ListOfTag = "list, rare tag", ListBehind = "list, a later page";

    private static readonly string[] Operations = [Accept, Claim, Status, ListOfState, ListOfTag, ListBehind];

    private const double RatioBar = 1.5;
    private const int Few = 1000, Rounds = 9, WarmUps = 2;
    private const int Accepted = 2000, AcceptCallers = 64, Reads = 2000, Lists = 200, ListLength = 20, Claims = 50, ClaimCount = 10;
    private const string Owner = "benchmark";

    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    public string Name => "million";

    public string Summary => "accept, claim, status and filtered lists with 1,000,000 jobs in the store, against 1,000";

    public async Task RunAsync(Settings settings, Report report)
    {
        using PostgresServer server = PostgresServer.Start(settings);
        foreach (StoreKind kind in new[] { StoreKind.Sqlite(settings), StoreKind.Postgres(server) }) await RunAsync(kind, settings, report);
    }

    private async Task RunAsync(StoreKind kind, Settings settings, Report report)
    {
        for (int i = 0; i < WarmUps; i++) await MeasureFewAsync(kind);

        long startedAt = Stopwatch.GetTimestamp();
        await using NewStore many = await kind.OpenNewAsync();
        Guid[] ids = await Population.FillAsync(many.Store, settings.Jobs);
        await many.SettleAsync();
        Console.Error.WriteLine($"  {kind.Name}: {settings.Jobs:N0} jobs put in, in {Stopwatch.GetElapsedTime(startedAt).TotalSeconds:N0} s");

        var duel = new Duel($"{Name}, {kind.Name}", $"{settings.Jobs:N0}", $"{Few:N0}");
        await duel.RunAsync(settings.Rounds ?? Rounds, () => MeasureAsync(many.Store, ids), () => MeasureFewAsync(kind));
        duel.Print($"{Name}: {kind.Name}, time of one operation (µs, less is better)");
        foreach (string operation in Operations)
            report.Add(Bar.AtMost($"{Name}, {kind.Name}, {operation}", RatioBar, $"with {Few:N0}", duel.Ratio(operation)));
    }

    private static async Task<Figure[]> MeasureFewAsync(StoreKind kind)
    {
        await using NewStore few = await kind.OpenNewAsync();
        Guid[] ids = await Population.FillAsync(few.Store, Few);
        await few.SettleAsync();
        return await MeasureAsync(few.Store, ids);
    }

    private static async Task<Figure[]> MeasureAsync(IJobStore store, Guid[] ids)
    {
        // A new store first opens connections, prepares statements and extends its log, so it would seem slower.
        for (int i = 0; i < WarmUps; i++) await MeasureUnchangedAsync(store, ids);
        Figure[] unchanged = await MeasureUnchangedAsync(store, ids);
        CallResult accepts = await Callers.TimesAsync(
            AcceptCallers, Accepted, async _ => await store.AcceptAsync(SampleJobs.Noop(), CancellationToken.None));
        return [new(Accept, 1_000_000 / accepts.PerSecond), .. unchanged];
    }

    /// <summary>The operations that leave the number of jobs in each state unchanged.</summary>
    private static async Task<Figure[]> MeasureUnchangedAsync(IJobStore store, Guid[] ids)
    {
        var claimed = new List<JobClaim>();
        double claim = await TimeAsync(Claims, async () =>
        {
            JobClaims claims = await store.ClaimAsync(Owner, ClaimCount, long.MaxValue, Lease, KindFilter.All, CancellationToken.None);
            Expect(claims.Claims.Count == ClaimCount);
            claimed.AddRange(claims.Claims);
        });
        await store.HandBackAsync(claimed, CancellationToken.None);

        var random = new Random(1); // the same sequence for all
        var failed = new JobQuery { Kind = Population.Kind, State = JobState.Failed, Limit = ListLength };
        var tagged = new JobQuery { Tag = Population.RareTag, Limit = ListLength };
        // The queued jobs, from the middle of all jobs on.
        JobQuery later = failed with { State = JobState.Queued, After = ids[ids.Length / 2] };
        return
        [
            new(Claim, claim),
            new(Status, await TimeAsync(Reads, async () => Expect(await store.GetAsync(ids[random.Next(ids.Length)], CancellationToken.None) is not null))),
            new(ListOfState, await TimeAsync(Lists, () => ListAsync(store, failed))),
            new(ListOfTag, await TimeAsync(Lists, () => ListAsync(store, tagged))),
            new(ListBehind, await TimeAsync(Lists, () => ListAsync(store, later))),
        ];
    }

    private static async Task ListAsync(IJobStore store, JobQuery query) =>
        Expect((await store.ListAsync(query, CancellationToken.None)).Jobs.Count == ListLength);

    private static async Task<double> TimeAsync(int times, Func<Task> operation) =>
        1_000_000 / (await Callers.TimesAsync(1, times, async _ => await operation())).PerSecond;

    private static void Expect(bool found)
    {
        if (!found) throw new InvalidOperationException("The store did not find all that it has.");
    }
}
