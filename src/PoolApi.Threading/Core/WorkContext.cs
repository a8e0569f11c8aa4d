namespace PoolApi.Threading.Core;

/// <summary>
/// Brings continuations after an <see langword="await"/> inside a task of the pool's scheduler, or inside a callback of its context, back
/// to the pool, and records whose continuation it is, so that the pool runs it even if that item blocks every worker.
/// </summary>
/// <remarks>The cause is null where a worker runs code of no item.</remarks>
internal abstract class WorkContext(PoolCore core, PoolWorkItem? cause) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state)
    {
        ForcedItem item = ToItem(d, state);
        // A closed pool accepts only continuations of items in flight. Any other callback runs on the .NET ThreadPool, because a caller may wait for it.
        if (!core.TryForce(item, cause, isContinuation: true)) item.RunElsewhere();
    }

    /// <summary>On a worker of the same pool the callback runs in place: waiting for another worker could deadlock.</summary>
    public override void Send(SendOrPostCallback d, object? state)
    {
        if (Worker.Current?.Core == core) d(state);
        else SentItem.Send(core, cause, d, state);
    }

    public override SynchronizationContext CreateCopy() => this;

    protected abstract ForcedItem ToItem(SendOrPostCallback d, object? state);
}
