using CsCheck;
using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.Tests;

/// <summary>A budget of bytes is never exceeded, and a request that does not fit takes nothing, not even for a moment.</summary>
public class ByteBudgetTests
{
    [Fact]
    public void What_does_not_fit_keeps_out_nothing_that_does()
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
        Assert.True(budget.TryTake(1)); // so that 100 never fit
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
    public void What_is_taken_and_returned_adds_up_whoever_does_it()
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
    public void What_is_there_in_any_case_counts_beyond_the_limit_and_nothing_is_taken_until_it_has_gone()
    {
        var budget = new ByteBudget(10);
        budget.Take(25);
        Assert.Equal((25L, 0L, false), (budget.Used, budget.Free, budget.TryTake(1)));
        Assert.False(budget.TryTake(0));
        budget.Take(-20);
        Assert.Equal((5L, 5L, true), (budget.Used, budget.Free, budget.TryTake(5)));
    }

    [Fact]
    public void More_than_the_limit_is_taken_while_nobody_else_holds_anything()
    {
        var budget = new ByteBudget(10);
        Assert.True(budget.TryTakeOrAlone(25, held: 0));
        Assert.Equal((25L, 0L, false, false), (budget.Used, budget.Free, budget.TryTake(1), budget.TryTakeOrAlone(25, held: 0)));
        budget.Return(25);

        Assert.True(budget.TryTakeOrAlone(4, held: 0));
        Assert.True(budget.TryTakeOrAlone(6, held: 4));
        Assert.True(budget.TryTakeOrAlone(15, held: 10)); // its own bytes are nobody else's
        Assert.Equal(25, budget.Used);
        budget.Return(24);
        Assert.False(budget.TryTakeOrAlone(25, held: 0)); // another has the one that is left
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
    public void The_default_budget_of_the_jobs_follows_what_the_runtime_may_use()
    {
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        Assert.Equal(Math.Min(256 << 20, memory / 4), new JobOptions().MemoryBytes);
    }
}
