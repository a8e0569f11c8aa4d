using CsCheck;
using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.Tests;

/// <summary>A request for bytes never exceeds the budget unless it is alone. A request that does not fit takes nothing, not even for a moment.</summary>
public class ByteBudgetTests
{
    [Fact]
    public void A_request_that_does_not_fit_does_not_make_a_fitting_one_fail()
    {
        const int Rounds = 200_000;
        CancellationToken token = TestContext.Current.CancellationToken;
        var budget = new ByteBudget(100);
        using var barrier = new Barrier(2);
        int refused = 0;
        int exceeded = 0;
        var tooLarge = new Thread(() =>
        {
            barrier.SignalAndWait(token);
            for (int i = 0; i < Rounds; i++)
            {
                if (budget.TryTake(100)) exceeded++;
            }
        });
        Assert.True(budget.TryTake(1)); // so that 100 bytes never fit
        tooLarge.Start();
        barrier.SignalAndWait(token);
        for (int i = 0; i < Rounds; i++)
        {
            if (budget.TryTake(99)) budget.Return(99);
            else refused++;
        }
        tooLarge.Join();
        Assert.Equal((0, 0, 1L), (refused, exceeded, budget.Used));
    }

    [Fact]
    public void Used_and_free_bytes_always_match_the_bytes_taken_and_returned()
    {
        Gen.Select(Gen.Long[0, 40].Array[0, 30], Gen.Long[0, 100]).Sample(static (sizes, limit) =>
        {
            var budget = new ByteBudget(limit);
            var held = new List<long>();
            foreach (long size in sizes)
            {
                bool fits = held.Sum() + size <= limit;
                Assert.Equal(fits, budget.TryTake(size));
                if (fits) held.Add(size);
                Assert.Equal((held.Sum(), limit - held.Sum()), (budget.Used, budget.Free));
            }
            foreach (long size in held) budget.Return(size);
            Assert.Equal((0L, limit), (budget.Used, budget.Free));
        });
    }

    [Fact]
    public void Bytes_taken_unconditionally_exceed_the_limit_and_block_requests_until_they_are_returned()
    {
        var budget = new ByteBudget(10);
        budget.Take(25);
        Assert.Equal((25L, 0L, false), (budget.Used, budget.Free, budget.TryTake(1)));
        Assert.False(budget.TryTake(0));
        budget.Take(-20);
        Assert.Equal((5L, 5L, true), (budget.Used, budget.Free, budget.TryTake(5)));
    }

    [Fact]
    public void A_request_larger_than_the_limit_is_granted_only_while_nobody_else_holds_bytes()
    {
        var budget = new ByteBudget(10);
        Assert.True(budget.TryTakeOrAlone(25, held: 0));
        Assert.Equal((25L, 0L, false, false), (budget.Used, budget.Free, budget.TryTake(1), budget.TryTakeOrAlone(25, held: 0)));
        budget.Return(25);

        Assert.True(budget.TryTakeOrAlone(4, held: 0));
        Assert.True(budget.TryTakeOrAlone(6, held: 4));
        Assert.True(budget.TryTakeOrAlone(15, held: 10)); // the caller's own bytes do not count as another's
        Assert.Equal(25, budget.Used);
        budget.Return(24);
        Assert.False(budget.TryTakeOrAlone(25, held: 0)); // another caller holds the remaining byte
        Assert.True(budget.TryTakeOrAlone(9, held: 0));
        Assert.Equal(10, budget.Used);
    }

    [Theory]
    [InlineData(1L << 40, 268_435_456)]
    [InlineData(1L << 30, 268_435_456)]
    [InlineData(120 << 20, 30 << 20)]
    [InlineData(3, 1)]
    [InlineData(0, 1)]
    public void A_budget_has_a_quarter_of_the_memory_up_to_a_limit(long memory, long share) =>
        Assert.Equal(share, MemoryLimit.Share(256 << 20, memory));

    [Fact]
    public void The_default_job_budget_follows_the_memory_limit_of_the_runtime()
    {
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        Assert.Equal(Math.Min(256 << 20, memory / 4), new JobOptions().MemoryBytes);
    }
}
