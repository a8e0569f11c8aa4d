namespace PoolApi.Threading.Tests.Calls;

/// <summary>A batch: every input runs, the results are in order, and inputs are read only when there is space.</summary>
public class RunAllTests
{
    [Fact]
    public async Task A_batch_returns_its_results_in_order_and_reads_inputs_only_when_there_is_space()
    {
        using FixedThreadPool pool = Pools.Make(2, capacity: 3);
        int asked = 0;
        Occupation busy = pool.Occupy();
        Task<int[]> all = pool.RunAllAsync(Inputs(), static (input, _) => input * 2);
        Assert.InRange(Volatile.Read(ref asked), 1, 4); // three inputs are queued, and one more is read before the queue is found full
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
    public async Task A_batch_runs_every_input_and_its_task_holds_every_exception()
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the batch is cancelled before the pool has accepted a call
    public async Task A_cancelled_batch_submits_no_more_and_ends_as_cancelled_with_the_token_of_the_caller(bool isFull)
    {
        using FixedThreadPool pool = Pools.Make(1, capacity: 1);
        using var cancel = new CancellationTokenSource();
        int read = 0;
        Occupation busy = pool.Occupy();
        if (isFull) pool.Accepted(new TestItem());
        Task<int[]> all = pool.RunAllAsync(Inputs(), static (input, _) => input, cancel.Token);
        await cancel.CancelAsync();
        busy.Dispose();
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => all.Patiently());
        Assert.Equal(cancel.Token, error.CancellationToken);
        Assert.InRange(read, 1, isFull ? 1 : 2); // one is queued unless the queue is full, and one waits for space

        IEnumerable<int> Inputs()
        {
            while (true) yield return ++read;
        }
    }

    [Fact]
    public async Task A_batch_on_a_closed_pool_is_refused()
    {
        using FixedThreadPool pool = Pools.Make();
        await pool.CloseAsync();
        await Assert.ThrowsAsync<WorkRejectedException>(() => pool.RunAllAsync([1], static (input, _) => input));
    }
}
