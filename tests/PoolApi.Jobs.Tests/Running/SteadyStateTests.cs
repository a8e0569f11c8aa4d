using System.Collections.Concurrent;
using System.Diagnostics;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs.Running;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>P6: in a steady state the dispatcher calls the store only when something happens, and never in a busy loop.</summary>
public sealed class SteadyStateTests
{
    /// <summary>The time for which a state is watched.</summary>
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(2);

    /// <summary>The shortest lease that can be set. Rounds of maintenance are then half a second apart.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(3);

    /// <summary>The most operations of the rounds within a time: each renews, maintains and causes one claim. Two more cover the first claim.</summary>
    private static int Rounds(TimeSpan time) => (3 * (1 + (int)Math.Ceiling(time / (Lease / 6)))) + 2;

    private static readonly string[] Operations = ["claim", "maintain", "renew", "finish", "hand back"];

    /// <summary>A steady state: the load of the workers, the jobs in the store, and whether the store works.</summary>
    private sealed record State(int Workers, Crowd Requests, int Jobs, double Share, bool IsShared, bool IsStoreAway, int Capacity);

    private enum Crowd
    {
        /// <summary>No request: the workers are free for jobs.</summary>
        None,

        /// <summary>A request holds each worker.</summary>
        Held,

        /// <summary>A request holds each worker, and the queue is full.</summary>
        Full,

        /// <summary>Short requests keep all workers busy.</summary>
        Short,
    }

    private static readonly Gen<State> States = Gen.Select(
        Gen.Int[1, 4], Gen.Enum<Crowd>(), Gen.OneOf(Gen.Const(0), Gen.Const(1), Gen.Const(50)), Gen.OneOf(Gen.Const(0.0), Gen.Const(0.02), Gen.Const(1.0)), Gen.Bool, Gen.Frequency((3, Gen.Const(false)), (1, Gen.Const(true))),
        Gen.OneOf(Gen.Const(8), Gen.Const(1024)),
        static (workers, requests, jobs, share, isShared, isAway, capacity) =>
            new State(workers, requests, jobs, share, isShared, isAway, requests == Crowd.Full ? 8 : capacity));

    [Fact]
    public async Task In_random_steady_states_the_number_of_store_calls_stays_within_its_bound()
    {
        var states = new List<State>
        {
            new(2, Crowd.Held, 0, 0.02, false, false, 1024), // requests hold all workers, and no job was ever accepted
            new(2, Crowd.Held, 1, 0, false, false, 1024),
            new(2, Crowd.Full, 1, 0.02, false, false, 8),
            new(2, Crowd.None, 0, 0.02, false, false, 1024),
            new(2, Crowd.Held, 0, 0.02, false, true, 1024),
        };
        Gen<State[]> many = States.Array[19];
        many.Sample(states.AddRange, iter: 1);

        string?[] faults = await Task.WhenAll(states.Select(WatchAsync));

        if (faults.OfType<string>().ToArray() is { Length: > 0 } wrong) Assert.Fail(string.Join("\n", wrong));
    }

    [Fact]
    public async Task A_queued_job_runs_when_a_worker_becomes_free_without_polling_in_between()
    {
        using Gate gate = new();
        var clock = new FakeTimeProvider();
        await using Rig rig = await Rig.StartAsync(workers: 1, time: clock);
        await rig.QuietAsync();
        ValueTask<AttemptEnd> request = rig.Pool.RunAsync(() => gate.Pass());
        await gate.ArrivalAsync();
        Job job = await rig.AcceptAsync();
        await rig.AsleepAsync();
        int calls = rig.Store.Calls();
        await rig.PassAsync(clock, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(0.5));

        Assert.InRange(rig.Store.Calls() - calls, 0, 2); // a waiting job may cause one round of maintenance
        gate.Open();

        await request;
        await rig.UntilAsync(job.Id, JobState.Succeeded);
    }

    [Fact]
    public async Task Five_hundred_watchers_of_a_store_without_notifications_cost_one_operation_per_poll()
    {
        var jobs = new InMemoryJobs();
        var store = new InMemoryJobStore(jobs) { ReportsRemoteChanges = false };
        var other = new InMemoryJobStore(jobs);
        await store.OpenAsync(Token);
        var watch = new JobWatch(store);
        Job[] all = new Job[500];
        for (int i = 0; i < all.Length; i++) all[i] = (await other.AcceptAsync(Jobs.New(), Token)).Job;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Token);
        IAsyncEnumerator<Job>[] watchers = [.. all.Select(j => watch.WatchAsync(j.Id, 0, over.Token).GetAsyncEnumerator(Token))];
        foreach (IAsyncEnumerator<Job> watcher in watchers) Assert.True(await watcher.MoveNextAsync());
        Task<bool>[] next = [.. watchers.Select(static w => w.MoveNextAsync().AsTask())];
        int looks = store.Calls("find changed");
        // A poll that began before a watcher had read its job causes one more read of that job.
        await UntilAsync(() => store.Calls("find changed") >= looks + 2 && !Array.Exists(all, job => watch.IsReading(job.Id)));
        int gets = store.Calls("get");
        looks = store.Calls("find changed");

        await UntilAsync(() => store.Calls("find changed") >= looks + 4);
        Assert.Equal(0, store.Calls("get") - gets);
        await other.CancelAsync(all[321].Id, Token);

        Assert.True(await next[321].Patiently());
        Assert.Equal(JobState.Cancelled, watchers[321].Current.State);
        Assert.InRange(store.Calls("get") - gets, 1, 2);
        await over.CancelAsync();
        foreach (Task<bool> each in next) await Task.WhenAny(each);
        foreach (IAsyncEnumerator<Job> watcher in watchers) await watcher.DisposeAsync();
        Assert.Equal(0, watch.Count);
    }

    /// <returns>The exceeded bound in words; <see langword="null"/>: none is exceeded.</returns>
    private static async Task<string?> WatchAsync(State state)
    {
        using var gate = new Gate();
        using var over = new CancellationTokenSource();
        var ended = new ConcurrentBag<Guid>();
        await using Rig rig = await Rig.StartAsync(
            (run, _) =>
            {
                ended.Add(run.Claim.Job.Id);
                return ScriptedExecutor.Success;
            },
            state.Workers, Rig.Options with { Share = state.Share, Lease = Lease }, isShared: state.IsShared, capacity: state.Capacity);
        List<Task> requests = [];
        int held = state.Requests switch { Crowd.Held => state.Workers, Crowd.Full => state.Workers + state.Capacity, _ => 0 };
        for (int i = 0; i < held; i++) requests.Add(rig.Pool.RunAsync(() => gate.Pass()).AsTask());
        if (state.Requests == Crowd.Short) requests.AddRange(Enumerable.Range(0, state.Workers * 2).Select(_ => RequestsAsync(rig, over.Token)));
        for (int i = 0; i < state.Jobs; i++) await rig.AcceptAsync();
        if (state.IsStoreAway) rig.Store.Fault = "away";
        int before = rig.Store.Calls();
        long rounds = rig.Dispatcher.ClaimRounds;
        long since = Stopwatch.GetTimestamp();

        await Task.Delay(Time, Token); // the measured time, not a wait for an event

        TimeSpan watched = Stopwatch.GetElapsedTime(since); // a busy machine may take longer
        int asked = rig.Store.Calls() - before;
        int jobs = ended.Count; // also those that ran before: their ends may be written only now
        rounds = rig.Dispatcher.ClaimRounds - rounds;
        string counts = string.Join(", ", Operations.Select(o => $"{o} {rig.Store.Calls(o)}"));
        rig.Store.Fault = null;
        gate.Open();
        await over.CancelAsync();
        await Task.WhenAll(requests).Patiently();
        // Each job costs a claim, a finish and the next claim. A job that goes first and finds no worker is handed back after a second. Each of
        // the two flows calls a store that is away again after 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2 … s.
        int most = Rounds(watched) + (3 * jobs) + (state.IsShared ? 6 : 0) + (state.IsStoreAway ? 12 + (int)(watched - Time).TotalSeconds : 0);
        // A claim round without an operation still costs time. The start and the end of a job cause one, and so does a worker that becomes
        // idle. Short requests make workers idle now and then.
        long mostRounds = state.Requests switch { Crowd.Short => int.MaxValue, Crowd.Full => 100, _ => 20 } + (6L * jobs);
        return asked <= most && rounds <= mostRounds ? null
            : $"{state}: {asked} operations, at most {most}; {rounds} rounds, at most {mostRounds}; {jobs} jobs ran; {counts}";
    }

    private static async Task RequestsAsync(Rig rig, CancellationToken over)
    {
        while (!over.IsCancellationRequested) await rig.Pool.RunAsync(static () => Thread.SpinWait(20_000));
    }
}
