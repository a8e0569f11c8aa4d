using System.Diagnostics.Metrics;

namespace PoolApi.Threading.Tests;

/// <summary>A call that may wait for room is not refused while the queue is full.</summary>
public class WaitForSpaceTests
{
    private static readonly WorkOptions Waits = new() { WaitForSpace = true };

    private static readonly Dictionary<string, Func<FixedThreadPool, CancellationToken, Task<int>>> Forms = new()
    {
        ["a function"] = static (pool, token) => pool.RunAsync(static () => 1, token, Waits).AsTask(),
        ["an action"] = static async (pool, token) =>
        {
            int ran = 0;
            await pool.RunAsync(() => { ran = 1; }, token, Waits);
            return ran;
        },
        ["an asynchronous function"] = static (pool, token) => pool.RunAsync(static async () =>
        {
            await Task.Yield();
            return 1;
        }, token, Waits).AsTask(),
        ["an asynchronous action"] = static async (pool, token) =>
        {
            int ran = 0;
            await pool.RunAsync(async () =>
            {
                await Task.Yield();
                ran = 1;
            }, token, Waits);
            return ran;
        },
        ["a blocking call"] = static (pool, token) => Task.Factory.StartNew(
            () => pool.Run(static () => 1, token, Waits), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default),
        ["many inputs"] = static async (pool, token) => (await pool.RunAllAsync([1], static (input, _) => input, token, Waits))[0],
    };

    public static TheoryData<string> Names => [.. Forms.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task It_waits_and_then_runs(string form)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        Task<int>[] calls = [.. Enumerable.Range(0, 5).Select(_ => Forms[form](pool, CancellationToken.None))];
        Assert.Equal(SubmitResult.QueueFull, pool.TrySubmit(new TestItem()));
        Assert.All(calls, static call => Assert.False(call.IsCompleted));
        busy.Dispose();
        Assert.All(await Task.WhenAll(calls).Patiently(), static result => Assert.Equal(1, result));
        Pools.AddsUp(pool.GetSnapshot());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Its_token_ends_the_wait(string form)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        using var cts = new CancellationTokenSource();
        Task<int> call = Forms[form](pool, cts.Token);
        cts.Cancel();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
        Assert.Equal(cts.Token, error.CancellationToken);
        Assert.Equal(2, pool.GetSnapshot().Counts.Accepted);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_pool_that_closes_refuses_it(string form)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        Task<int> call = Forms[form](pool, CancellationToken.None);
        pool.Close();
        Assert.Equal(SubmitResult.Closed, (await Assert.ThrowsAsync<WorkRejectedException>(call.Patiently)).Result);
        Assert.Equal(2, pool.GetSnapshot().Counts.Accepted);
    }

    [Fact]
    public async Task A_call_that_waits_is_not_counted_as_refused()
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        long refused = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = static (instrument, self) =>
        {
            if (instrument is { Name: "poolapi.work.rejected", Meter.Name: FixedThreadPool.MeterName }) self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new("pool", pool.Name))) Interlocked.Add(ref refused, value);
        });
        listener.Start();
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        Task<int> call = pool.RunAsync(static () => 1, options: new() { WaitForSpace = true }).AsTask();
        Assert.Equal(0, Interlocked.Read(ref refused));
        await Assert.ThrowsAsync<WorkRejectedException>(() => pool.RunAsync(static () => 1).AsTask());
        Assert.Equal(1, Interlocked.Read(ref refused));
        busy.Dispose();
        Assert.Equal(1, await call.Patiently());
    }

    [Fact]
    public async Task Many_inputs_give_their_results_in_order_and_are_asked_for_only_when_there_is_room()
    {
        using FixedThreadPool pool = Pools.Make(2, capacity: 3);
        int asked = 0;
        Occupation busy = pool.Occupy();
        Task<int[]> all = pool.RunAllAsync(Inputs(), static (input, _) => input * 2);
        Assert.InRange(Volatile.Read(ref asked), 1, 4); // three wait, and one more is asked for before it is known that it must
        busy.Dispose();
        Assert.Equal(Enumerable.Range(0, 100).Select(static i => i * 2), await all.Patiently());

        IEnumerable<int> Inputs()
        {
            for (int i = 0; i < 100; i++)
            {
                Interlocked.Increment(ref asked);
                yield return i;
            }
        }
    }

    [Fact]
    public async Task Of_many_inputs_every_call_ends_and_every_failure_is_told()
    {
        using FixedThreadPool pool = Pools.Make(2, capacity: 3);
        int ran = 0;
        Task<int[]> all = pool.RunAllAsync(Enumerable.Range(0, 10), (input, _) =>
        {
            Interlocked.Increment(ref ran);
            return input % 5 == 0 ? throw new InvalidDataException($"{input}") : input;
        });
        await Assert.ThrowsAsync<InvalidDataException>(() => all.Patiently());
        Assert.Equal(["0", "5"], all.Exception!.InnerExceptions.Select(static e => e.Message));
        Assert.Equal(10, ran);
    }
}
