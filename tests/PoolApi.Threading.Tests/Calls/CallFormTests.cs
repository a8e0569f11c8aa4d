using PoolApi.Threading.Tests.SourceRules;

namespace PoolApi.Threading.Tests.Calls;

/// <summary>
/// The overloads of <c>RunAsync</c> and <c>Run</c>: the parameters and the result of the delegate select the overload. In every form, a
/// token as the last argument cancels the work.
/// </summary>
public class CallFormTests
{
    private static readonly Dictionary<string, Form> Forms = new()
    {
        // OfInt and OfNothing check the overload at compile time: neither accepts a ValueTask<Task>.
        ["function"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(() => w.Get(), t))),
        ["function of a token"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(ct => w.Get(ct), t))),
        ["function of a token, method group"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(w.Get, t))),
        ["function of a token, delegate"] = new(Takes.Token, static (p, w, t) =>
        {
            Func<CancellationToken, int> work = w.Get;
            return OfInt(p.RunAsync(work, t));
        }),
        ["function of a token, with options"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(ct => w.Get(ct), t, options: new(kind: "form")))),
        ["function of a state"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(static s => s.Get(), w, t))),
        ["function, named token"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(() => w.Get(), cancellationToken: t))),
        ["function, token and options"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(() => w.Get(), t, new(kind: "form")))),
        ["function, delegate"] = new(Takes.Nothing, static (p, w, t) =>
        {
            Func<int> work = w.Get;
            return OfInt(p.RunAsync(work, t));
        }),
        ["function with a body"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(
            () =>
            {
                int result = w.Get();
                return result;
            },
            t))),
        ["function of a state, method group"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(Work.GetOf, w, t))),
        ["function of a state, named token"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(static s => s.Get(), w, cancellationToken: t))),

        ["action"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(() => w.Do(), t))),
        ["action of a token"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(ct => w.Do(ct), t))),
        ["action of a token, method group"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(w.Do, t))),
        ["action of a state"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(static s => s.Do(), w, t))),

        ["action with a body"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(() => { w.Do(); }, t))),
        ["action, delegate"] = new(Takes.Nothing, static (p, w, t) =>
        {
            Action work = w.Do;
            return OfNothing(p.RunAsync(work, t));
        }),
        ["action of a state, method group"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(Work.DoOf, w, t))),

        ["Task<int>"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(() => w.GetAsync(), t)), IsAsync: true),
        ["Task<int> of a token"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(ct => w.GetAsync(ct), t)), IsAsync: true),
        ["Task<int> of a token, method group"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(w.GetAsync, t)), IsAsync: true),
        ["Task<int> of a token, with options"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(ct => w.GetAsync(ct), t, options: new(kind: "form"))), IsAsync: true),
        ["Task<int> of a state"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(static s => s.GetAsync(), w, t)), IsAsync: true),

        ["Task"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(() => w.DoAsync(), t)), IsAsync: true),
        ["Task of a token"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(ct => w.DoAsync(ct), t)), IsAsync: true),
        ["Task of a token, method group"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(w.DoAsync, t)), IsAsync: true),
        ["Task of a state"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(static s => s.DoAsync(), w, t)), IsAsync: true),

        ["Task<int> of a state, method group"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(Work.GetOfAsync, w, t)), IsAsync: true),
        ["Task<int>, method group without a token"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(w.GetOnlyAsync, t)), IsAsync: true),
        ["Task<int>, delegate"] = new(Takes.Nothing, static (p, w, t) =>
        {
            Func<Task<int>> work = w.GetAsync;
            return OfInt(p.RunAsync(work, t));
        }, IsAsync: true),

        ["async lambda with a result"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(async () => { return await w.GetAsync(); }, t)), IsAsync: true),
        ["async lambda with a result, of a token"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(async ct => { return await w.GetAsync(ct); }, t)), IsAsync: true),
        ["async lambda with a result, of a state"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(static async s => { return await s.GetAsync(); }, w, t)), IsAsync: true),
        ["async lambda"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(async () => { await w.DoAsync(); }, t)), IsAsync: true),
        ["async lambda of a token"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(async ct => { await w.DoAsync(ct); }, t)), IsAsync: true),
        ["async lambda, an expression"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(async () => await w.DoAsync(), t)), IsAsync: true),
        ["async lambda with a result, an expression"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(async () => await w.GetAsync(), t)), IsAsync: true),
        ["async lambda of a token, an expression"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(async ct => await w.DoAsync(ct), t)), IsAsync: true),
        ["async lambda of a state"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(static async s => { await s.DoAsync(); }, w, t)), IsAsync: true),

        ["ValueTask<int>"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(() => w.GetValueAsync(), t)), IsAsync: true),
        ["ValueTask<int> of a token"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(ct => w.GetValueAsync(ct), t)), IsAsync: true),
        ["ValueTask<int> of a token, method group"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(w.GetValueAsync, t)), IsAsync: true),
        ["ValueTask<int> of a token, with options"] = new(Takes.Token, static (p, w, t) => OfInt(p.RunAsync(ct => w.GetValueAsync(ct), t, options: new(kind: "form"))), IsAsync: true),
        ["ValueTask<int> of a state"] = new(Takes.Nothing, static (p, w, t) => OfInt(p.RunAsync(static s => s.GetValueAsync(), w, t)), IsAsync: true),

        ["ValueTask"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(() => w.DoValueAsync(), t)), IsAsync: true),
        ["ValueTask of a token"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(ct => w.DoValueAsync(ct), t)), IsAsync: true),
        ["ValueTask of a token, method group"] = new(Takes.Token, static (p, w, t) => OfNothing(p.RunAsync(w.DoValueAsync, t)), IsAsync: true),
        ["ValueTask of a state"] = new(Takes.Nothing, static (p, w, t) => OfNothing(p.RunAsync(static s => s.DoValueAsync(), w, t)), IsAsync: true),

        ["Run, function"] = new(Takes.Nothing, static (p, w, t) => Blocking(() => { int result = p.Run(() => w.Get(), t); return result; })),
        ["Run, function of a token"] = new(Takes.Token, static (p, w, t) => Blocking(() => { int result = p.Run(ct => w.Get(ct), t); return result; })),
        ["Run, function of a token, method group"] = new(Takes.Token, static (p, w, t) => Blocking(() => { int result = p.Run(w.Get, t); return result; })),
        ["Run, function of a token, with options"] = new(Takes.Token, static (p, w, t) => Blocking(() => { int result = p.Run(ct => w.Get(ct), t, options: new(kind: "form")); return result; })),
        ["Run, function of a state"] = new(Takes.Nothing, static (p, w, t) => Blocking(() => { int result = p.Run(static s => s.Get(), w, t); return result; })),
        ["Run, action"] = new(Takes.Nothing, static (p, w, t) => Blocking(() => { p.Run(() => w.Do(), t); return 7; })),
        ["Run, action of a token"] = new(Takes.Token, static (p, w, t) => Blocking(() => { p.Run(ct => w.Do(ct), t); return 7; })),
        ["Run, action of a token, method group"] = new(Takes.Token, static (p, w, t) => Blocking(() => { p.Run(w.Do, t); return 7; })),
        ["Run, action of a state"] = new(Takes.Nothing, static (p, w, t) => Blocking(() => { p.Run(static s => s.Do(), w, t); return 7; })),
    };

    private enum Takes
    {
        Nothing,
        Token,
    }

    public static TheoryData<string> All => [.. Forms.Keys];

    public static TheoryData<string> WithToken => [.. Forms.Where(static f => f.Value.Takes == Takes.Token).Select(static f => f.Key)];

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_token_as_the_last_argument_cancels_queued_work(string form)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        using var cts = new CancellationTokenSource();
        var work = new Work();
        Task call = Forms[form].Call(pool, work, cts.Token);
        Patience.Until(() => pool.GetSnapshot().QueueLength == 1);
        await cts.CancelAsync();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
        Assert.Equal(cts.Token, error.CancellationToken);
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((0, 1, 0), (snapshot.QueueLength, snapshot.Counts[WorkOutcome.Cancelled], work.Runs));
    }

    [Theory]
    [MemberData(nameof(WithToken))]
    public async Task The_callers_token_cancels_the_token_that_running_work_received(string form)
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        var work = new Work();
        Task call = Forms[form].Call(pool, work, cts.Token);
        work.Started.WaitPatiently();
        Assert.True(work.Token.CanBeCanceled);
        Assert.NotEqual(cts.Token, work.Token); // the work gets the item's own token, which a stop cancels too
        await cts.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
        Patience.Until(() => pool.GetSnapshot().Counts.Values.Sum() == 1);
        Assert.Equal((1, 1), (pool.GetSnapshot().Counts[WorkOutcome.Cancelled], work.Runs));
    }

    [Theory]
    [MemberData(nameof(WithToken))]
    public async Task A_stop_that_misses_its_deadline_cancels_the_token_of_running_work(string form)
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        var work = new Work();
        Task call = Forms[form].Call(pool, work, cts.Token);
        work.Started.WaitPatiently();
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.Zero, Patience.Long).Patiently();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
        Assert.Equal((1, 1), (report.Interrupted, report.Counts[WorkOutcome.Cancelled]));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Asynchronous_work_holds_no_worker_while_it_awaits_and_ends_with_its_task(string form)
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        var work = new Work();
        Task<int> call = Forms[form].Call(pool, work, cts.Token);
        work.Started.WaitPatiently();
        if (Forms[form].IsAsync) Patience.Until(() => pool.GetSnapshot().Suspended == 1);
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((1, Forms[form].IsAsync ? 1 : 0), (snapshot.InFlight, snapshot.Suspended));
        Assert.False(call.IsCompleted);
        work.Gate.SetResult();
        Assert.Equal(7, await call.Patiently());
        Patience.Until(() => pool.GetSnapshot().Counts[WorkOutcome.Completed] == 1);
        Assert.Equal(1, work.Runs);
        Assert.Equal($"{pool.Name}-0", work.LastThread); // the code after the await runs on the worker too
    }

    [Fact]
    public async Task A_call_takes_the_outcome_of_a_ValueTask_that_has_already_completed_or_failed()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Equal(3, await pool.RunAsync(static () => ValueTask.FromResult(3)).Patiently());
        await pool.RunAsync(static () => ValueTask.CompletedTask).Patiently();
        await Assert.ThrowsAsync<InvalidDataException>(
            () => pool.RunAsync(static () => ValueTask.FromException<int>(new InvalidDataException("on purpose"))).Patiently());
        await Assert.ThrowsAsync<InvalidDataException>(
            () => pool.RunAsync(static _ => ValueTask.FromException(new InvalidDataException("on purpose")), 0).Patiently());
        Assert.Equal((2, 2), (pool.GetSnapshot().Counts[WorkOutcome.Completed], pool.GetSnapshot().Counts[WorkOutcome.Failed]));
    }

    [Fact]
    public async Task An_argument_that_is_not_a_token_is_passed_as_the_state()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Equal(43, await pool.RunAsync(static x => x + 1, 42).Patiently());
        Assert.Equal(43, await pool.RunAsync(static x => Task.FromResult(x + 1), 42).Patiently());
        Assert.Equal(43, await pool.RunAsync(static x => ValueTask.FromResult(x + 1), 42).Patiently());
        Assert.Equal(43, pool.Run(static x => x + 1, 42));
    }

    [Fact]
    public async Task A_token_argument_is_not_passed_as_a_state_and_a_second_token_is_refused()
    {
        using FixedThreadPool pool = Pools.Make();
        using var cts = new CancellationTokenSource();
        CancellationToken given = await pool.RunAsync<CancellationToken, CancellationToken>(static token => token, cts.Token).Patiently();
        Assert.NotEqual(cts.Token, given);
        await Assert.ThrowsAsync<ArgumentException>(async () => await pool.RunAsync(static token => token, cts.Token, cts.Token));
        Assert.Throws<ArgumentException>(() => pool.Run(static token => token, cts.Token, cts.Token));
        Assert.Equal(1, pool.GetSnapshot().Accepted);
    }

    [Fact]
    public void Run_refuses_asynchronous_work_before_any_of_it_has_run()
    {
        using FixedThreadPool pool = Pools.Make();
        var work = new Work();
        CancellationToken token = default;
#pragma warning disable CA2012 // Nothing is awaited: each call throws.
        Action[] calls =
        [
            () => pool.Run(async () => { return await work.GetAsync(); }),
            () => pool.Run(async ct => { return await work.GetAsync(ct); }, token),
            () => pool.Run(async s => { return await s.GetAsync(); }, work),
            () => pool.Run(async () => { await work.DoAsync(); }),
            () => pool.Run(async ct => { await work.DoAsync(ct); }, token),
            () => pool.Run(async s => { await s.DoAsync(); }, work),
            () => pool.Run(() => work.GetAsync()),
            () => pool.Run(work.GetAsync, token),
            () => pool.Run(work.DoAsync, token),
            () => pool.Run(() => work.GetValueAsync()),
            () => pool.Run(work.GetValueAsync, token),
            () => pool.Run(ct => work.GetValueAsync(ct), token),
            () => pool.Run(s => s.GetValueAsync(), work),
            () => pool.Run(() => work.DoValueAsync()),
            () => pool.Run(work.DoValueAsync, token),
            () => pool.Run(ct => work.DoValueAsync(ct), token),
            () => pool.Run(s => s.DoValueAsync(), work),
        ];
#pragma warning restore CA2012
        foreach (Action call in calls)
        {
            Assert.StartsWith("Run is for synchronous work", Assert.Throws<ArgumentException>(call).Message, StringComparison.Ordinal);
        }
        Assert.Equal((0, 0), (work.Runs, pool.GetSnapshot().Accepted));
    }

    [Fact]
    public void A_lambda_that_only_throws_binds_to_an_action()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Throws<InvalidDataException>(() => pool.Run(static () => throw new InvalidDataException("on purpose")));
        Assert.Throws<InvalidDataException>(() => pool.Run(static _ => throw new InvalidDataException("on purpose"), CancellationToken.None));
    }

    [Fact]
    public void RunAsync_Run_and_Post_have_a_fixed_number_of_overloads_and_none_is_obsolete()
    {
        var forms = typeof(FixedThreadPool).GetMethods().GroupBy(static m => m.Name).ToDictionary(static g => g.Key, static g => g.Count());
        Assert.Equal((12, 4, 1), (forms["RunAsync"], forms["Run"], forms["Post"]));
        Assert.DoesNotContain(typeof(FixedThreadPool).GetMembers(), static m => m.IsDefined(typeof(ObsoleteAttribute), inherit: false));
    }

    [Fact]
    public void The_list_of_the_public_API_has_100_to_150_lines() => Assert.InRange(PublicApiTests.LinesOf("PoolApi.Threading").Count(), 100, 150);

    private static Task<int> OfInt(ValueTask<int> call) => call.AsTask();

    private static async Task<int> OfNothing(ValueTask call)
    {
        await call;
        return 7;
    }

    private static Task<int> Blocking(Func<int> call) =>
        Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private sealed record Form(Takes Takes, Func<FixedThreadPool, Work, CancellationToken, Task<int>> Call, bool IsAsync = false);

    /// <summary>The same work in every form. It ends when the gate opens or its token is cancelled.</summary>
    private sealed class Work
    {
        private int _runs;

        public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ManualResetEventSlim Started { get; } = new();

        public CancellationToken Token { get; private set; }

        public string? LastThread { get; private set; }

        public int Runs => Volatile.Read(ref _runs);

        public static int GetOf(Work work) => work.Get();

        public static void DoOf(Work work) => work.Do();

        public static Task<int> GetOfAsync(Work work) => work.GetAsync();

        public Task<int> GetOnlyAsync() => GetAsync();

        public int Get() => Get(default);

        public int Get(CancellationToken token)
        {
            Begin(token);
            Gate.Task.Wait(token);
            LastThread = Thread.CurrentThread.Name;
            return 7;
        }

        public void Do() => Get(default);

        public void Do(CancellationToken token) => Get(token);

        public Task<int> GetAsync() => GetAsync(default);

        public async Task<int> GetAsync(CancellationToken token)
        {
            Begin(token);
            await Gate.Task.WaitAsync(token);
            LastThread = Thread.CurrentThread.Name;
            return 7;
        }

        public Task DoAsync() => DoAsync(default);

        public async Task DoAsync(CancellationToken token) => await GetAsync(token);

        public ValueTask<int> GetValueAsync() => new(GetAsync(default));

        public ValueTask<int> GetValueAsync(CancellationToken token) => new(GetAsync(token));

        public ValueTask DoValueAsync() => new(GetAsync(default));

        public ValueTask DoValueAsync(CancellationToken token) => new(GetAsync(token));

        private void Begin(CancellationToken token)
        {
            Interlocked.Increment(ref _runs);
            Token = token;
            Started.Set();
        }
    }
}
