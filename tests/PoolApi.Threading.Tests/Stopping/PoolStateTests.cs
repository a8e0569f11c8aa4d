#if DEBUG
using PoolApi.Threading.Core.Atomics;
#endif
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests.Stopping;

/// <summary>The steps between the states of a pool.</summary>
public sealed class PoolStateTests
{
    [Fact]
    public void Only_the_transitions_of_the_state_diagram_are_allowed() => Assert.Equal(
        ["Running to Draining", "Draining to Stopping", "Draining to Stopped", "Stopping to Stopped"],
        from before in Enum.GetValues<PoolState>()
        from after in Enum.GetValues<PoolState>()
        where PoolStates.IsStep(before, after)
        select $"{before} to {after}");

#if DEBUG
    [Fact]
    public void A_transition_outside_of_the_state_diagram_fails_in_a_debug_build()
    {
        var queue = new WorkQueue<ProcessorOps>(capacity: 1, limitsWaiting: false, cores: 1);
        DeferredActions after = default;
        queue.Enter();
        queue.CloseLocked(ref after);
        queue.StopLocked(PoolState.Stopped, ref after);
        var set = typeof(WorkQueue<ProcessorOps>).GetProperty(nameof(queue.State))!.GetSetMethod(nonPublic: true)!;
        Exception thrown = Assert.ThrowsAny<Exception>(() => set.Invoke(queue, [PoolState.Running])).InnerException!;
        Assert.Contains("A pool does not become Running when it is Stopped.", thrown.Message, StringComparison.Ordinal);
        queue.Exit();
    }
#endif
}
