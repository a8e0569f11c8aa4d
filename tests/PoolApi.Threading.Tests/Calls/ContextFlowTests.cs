using System.Diagnostics;
using System.Globalization;

namespace PoolApi.Threading.Tests.Calls;

/// <summary>The caller's execution context flows into the work that the caller submits, and into no other work.</summary>
public class ContextFlowTests
{
    private static readonly AsyncLocal<string?> Local = new();

    [Fact]
    public async Task The_callers_AsyncLocals_flow_into_the_work_and_through_its_awaits()
    {
        using FixedThreadPool pool = Pools.Make();
        Local.Value = "caller";
        Assert.Equal("caller", await pool.RunAsync(() => Local.Value).Patiently());
        string?[] seen = await pool.RunAsync(async () =>
        {
            string? atStart = Local.Value;
            await Task.Yield();
            string? afterOne = Local.Value;
            await Task.Delay(1); // so that the method really awaits
            string? afterTwo = Local.Value;
            Local.Value = "work";
            await Task.Yield();
            return new[] { atStart, afterOne, afterTwo, Local.Value };
        }).Patiently();
        Assert.Equal(["caller", "caller", "caller", "work"], seen);
        Assert.Equal("caller", Local.Value);
    }

    [Fact]
    public async Task The_callers_activity_is_the_current_activity_of_the_work()
    {
        using FixedThreadPool pool = Pools.Make();
        using Activity activity = new Activity("caller").Start();
        Assert.Equal(activity.TraceId, await pool.RunAsync(() => Activity.Current!.TraceId).Patiently());
        Assert.Same(activity, await pool.RunAsync(async () =>
        {
            await Task.Yield();
            return Activity.Current;
        }).Patiently());
    }

    [Fact]
    public async Task Only_asynchronous_work_runs_under_the_pools_SynchronizationContext_also_after_an_await()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Null(await pool.RunAsync(() => SynchronizationContext.Current).Patiently());
        (SynchronizationContext? first, SynchronizationContext? then) = await pool.RunAsync(async () =>
        {
            SynchronizationContext? first = SynchronizationContext.Current;
            await Task.Yield();
            return (first, SynchronizationContext.Current);
        }).Patiently();
        Assert.NotNull(first);
        Assert.Same(first, then);
        Assert.Null(await pool.RunAsync(() => SynchronizationContext.Current).Patiently());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_that_an_item_sets_leaks_into_the_next_on_the_same_worker(bool asynchronous)
    {
        using FixedThreadPool pool = Pools.Make();
        CultureInfo culture = Thread.CurrentThread.CurrentCulture;
        var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        PoolWorkItem dirty = asynchronous
            ? new AsyncTestItem(async _ =>
            {
                Dirty();
                await Task.Yield();
                Dirty();
            })
            : new TestItem(_ => Dirty());
        pool.Accepted(dirty);
        (string?, CultureInfo, SynchronizationContext?, Activity?) seen = default;
        using (ExecutionContext.SuppressFlow())
        {
            // An item without a context of its own runs in the worker's context.
            var clean = new TestItem(_ =>
                seen = (Local.Value, CultureInfo.CurrentCulture, SynchronizationContext.Current, Activity.Current));
            pool.Accepted(clean);
            pool.Dispose();
            Assert.Equal(1, clean.Runs);
        }
        Assert.Equal((null, culture, null, null), seen);
        await Task.CompletedTask;

        void Dirty()
        {
            Local.Value = "dirty";
            CultureInfo.CurrentCulture = other;
            _ = new Activity("dirty").Start();
            if (!asynchronous) SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
        }
    }

    [Fact]
    public async Task The_execution_context_of_the_thread_that_creates_the_pool_does_not_flow_into_items()
    {
        Local.Value = "maker";
        using FixedThreadPool pool = Pools.Make();
        string? seen = "not run";
        var item = new TestItem(_ => seen = Local.Value);
        pool.Accepted(item);
        await item.Endings.First;
        Assert.Null(seen);
    }

    [Fact]
    public async Task Where_flow_is_suppressed_the_work_runs_without_the_callers_context()
    {
        using FixedThreadPool pool = Pools.Make();
        Local.Value = "caller";
        Task<string?> sync;
        Task<string?> asynchronous;
        using (ExecutionContext.SuppressFlow())
        {
            sync = pool.RunAsync<string?>(() => Local.Value).AsTask();
            asynchronous = pool.RunAsync<string?>(async () =>
            {
                await Task.Yield();
                return Local.Value;
            }).AsTask();
        }
        Assert.Null(await sync.Patiently());
        Assert.Null(await asynchronous.Patiently());
    }
}
