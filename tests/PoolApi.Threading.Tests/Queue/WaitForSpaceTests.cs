using System.Diagnostics.Metrics;

namespace PoolApi.Threading.Tests.Queue;

/// <summary>A call that may wait for room is not refused while the queue is full.</summary>
public class WaitForSpaceTests
{
    private static readonly WorkOptions Waits = new(waitForSpace: true);

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
    };

    public static TheoryData<string> Names => [.. Forms.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_call_that_may_wait_for_space_waits_while_the_queue_is_full_and_then_runs(string form)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        Task<int>[] calls = [.. Enumerable.Range(0, 5).Select(_ => Forms[form](pool, CancellationToken.None))];
        Assert.Equal(SubmitResult.QueueFull, pool.Answer(new TestItem()));
        Assert.All(calls, static call => Assert.False(call.IsCompleted));
        busy.Dispose();
        Assert.All(await Task.WhenAll(calls).Patiently(), static result => Assert.Equal(1, result));
        Pools.AddsUp(pool.GetSnapshot());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task The_token_of_a_call_ends_its_wait_for_space(string form)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        using var cts = new CancellationTokenSource();
        Task<int> call = Forms[form](pool, cts.Token);
        cts.Cancel();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(call.Patiently);
        Assert.Equal(cts.Token, error.CancellationToken);
        Assert.Equal(2, pool.GetSnapshot().Accepted);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_pool_that_closes_refuses_a_call_that_waits_for_space(string form)
    {
        using FixedThreadPool pool = Pools.Make(capacity: 1);
        using Occupation busy = pool.Occupy();
        pool.Accepted(new TestItem());
        Task<int> call = Forms[form](pool, CancellationToken.None);
        _ = pool.CloseAsync();
        Assert.Equal(SubmitResult.Closed, Pools.Reason((await Assert.ThrowsAsync<WorkRejectedException>(call.Patiently))));
        Assert.Equal(2, pool.GetSnapshot().Accepted);
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
        Task<int> call = pool.RunAsync(static () => 1, options: new(waitForSpace: true)).AsTask();
        Assert.Equal(0, Interlocked.Read(ref refused));
        await Assert.ThrowsAsync<WorkRejectedException>(() => pool.RunAsync(static () => 1).AsTask());
        Assert.Equal(1, Interlocked.Read(ref refused));
        busy.Dispose();
        Assert.Equal(1, await call.Patiently());
    }
}
