namespace PoolApi.Threading.Tests.Calls;

/// <summary>The pool reuses the objects of calls, and no caller observes it.</summary>
public class CallReuseTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_second_await_of_a_call_throws(bool fails)
    {
        using FixedThreadPool pool = Pools.Make();
        ValueTask<int> call = pool.RunAsync(static fails => fails ? throw new InvalidDataException("on purpose") : 7, fails);
#pragma warning disable CA2012 // on purpose
        if (fails) await Assert.ThrowsAsync<InvalidDataException>(async () => await call);
        else Assert.Equal(7, await call);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await call);
        Assert.Throws<InvalidOperationException>(() => call.IsCompleted);
        ValueTask<int> next = pool.RunAsync(static x => x, 8);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await call); // even if another call uses the object by now
#pragma warning restore CA2012
        Assert.Equal(8, await next);
    }

    [Fact]
    public async Task A_refused_call_does_not_disturb_the_queued_call_or_the_next_one()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        for (int round = 0; round < 50; round++)
        {
            using (pool.Occupy())
            {
                Task<int> waiting = pool.RunAsync(static x => x, round).AsTask();
                await Assert.ThrowsAsync<WorkRejectedException>(async () => await pool.RunAsync(static x => x, -1));
                Assert.False(waiting.IsCompleted);
            }
            Patience.Until(() => pool.GetSnapshot() is { QueueLength: 0, InFlight: 0 });
            Assert.Equal(round, await pool.RunAsync(static x => x, round));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)] // 0: another seed each time
    public async Task Each_caller_gets_its_own_result_while_other_calls_fail_expire_or_are_cancelled(int seed)
    {
        const int Callers = 6;
        const int CallsEach = 1500;
        if (seed == 0) seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        FixedThreadPool pool = Pools.Make(2, capacity: 32);
        int[] seen = new int[6];
        Task[] callers = [.. Enumerable.Range(0, Callers).Select(n => Task.Run(() => CallAsync(n), TestContext.Current.CancellationToken))];
        await Task.WhenAll(callers).WaitAsync(MachineLoad.Stretch(Patience.Long), Patience.Token);
        pool.Dispose();
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal(snapshot.Accepted, snapshot.Counts.Values.Sum());
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(' ', seen));
        Assert.InRange(seen[0], 1, Callers * CallsEach);

        async Task CallAsync(int n)
        {
            var random = new Random(seed + n);
            for (int i = 0; i < CallsEach; i++)
            {
                (int, int) mine = (n, i);
                int kind = random.Next(6);
                try
                {
                    switch (kind)
                    {
                        case 0:
                            Assert.Equal(mine, await pool.RunAsync(static x => x, mine));
                            break;
                        case 1:
                            Assert.Equal(mine, pool.Run(static x => x, mine));
                            break;
                        case 2:
                            using (var cts = new CancellationTokenSource())
                            {
                                ValueTask<(int, int)> call = pool.RunAsync(static x => x, mine, cts.Token);
                                cts.Cancel();
                                try
                                {
                                    Assert.Equal(mine, await call);
                                }
                                catch (OperationCanceledException e)
                                {
                                    Assert.Equal(cts.Token, e.CancellationToken);
                                }
                            }
                            break;
                        case 3:
                            var error = await Assert.ThrowsAnyAsync<Exception>(
                                async () => await pool.RunAsync(Throw, mine));
                            if (error is WorkRejectedException) break;
                            Assert.Equal(mine, Assert.IsType<Named>(error).Who);
                            break;
                        case 4:
                            try
                            {
                                Assert.Equal(mine, await pool.RunAsync(static x => x, mine, options: new(maxQueueTime: TimeSpan.Zero)));
                            }
                            catch (WorkRejectedException e) when (e.Outcome is not null)
                            {
                                Assert.Equal(WorkOutcome.Expired, e.Outcome);
                            }
                            break;
                        default:
                            // Two calls at once: the second is awaited before the first.
                            ValueTask<(int, int)> first = pool.RunAsync(static x => x, mine);
                            Task<(int, int)> second = pool.RunAsync(static x => x, (n, -i)).AsTask();
                            await Task.WhenAny(second);
                            try
                            {
                                Assert.Equal(mine, await first);
                            }
                            finally
                            {
                                await Task.WhenAny(second);
                            }
                            Assert.Equal((n, -i), await second);
                            break;
                    }
                    Interlocked.Increment(ref seen[kind]);
                }
                catch (WorkRejectedException)
                {
                    await Task.Yield();
                }
            }
        }
    }

    [Fact]
    public async Task An_abandoned_call_that_returns_late_does_not_complete_another_call()
    {
        using FixedThreadPool after = Pools.Make();
        for (int round = 0; round < 20; round++)
        {
            FixedThreadPool pool = Pools.Make();
            using var started = new ManualResetEventSlim();
            using var release = new ManualResetEventSlim();
            ValueTask<int> call = pool.RunAsync(
                static gates =>
                {
                    gates.started.Set();
                    gates.release.WaitPatiently();
                    return -1;
                },
                (started, release));
            started.WaitPatiently();
            await pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero).Patiently();
            await Assert.ThrowsAsync<WorkAbandonedException>(async () => await call);
            Task<int> next = after.RunAsync(static x => x.round, (round, started, release)).AsTask();
            release.Set();
            Assert.Equal(round, await next.Patiently());
            Pools.NoThreadIsLeft(pool);
            pool.Dispose();
            for (int i = 0; i < 10; i++) Assert.Equal(i, await after.RunAsync(static x => x.i, (i, started, release)));
        }
    }

    private static (int, int) Throw((int, int) who) => throw new Named(who);

    private sealed class Named((int, int) who) : Exception
    {
        public (int, int) Who => who;
    }
}
