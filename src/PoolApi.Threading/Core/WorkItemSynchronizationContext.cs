namespace PoolApi.Threading.Core;

/// <summary>Brings what follows an <see langword="await"/> inside an item back to the item's pool.</summary>
internal sealed class WorkItemSynchronizationContext(PoolCore core, PoolWorkItem item) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => core.Post(item, d, state);

    /// <summary>On a worker of the same pool the callback runs in place: waiting for another worker could deadlock.</summary>
    public override void Send(SendOrPostCallback d, object? state)
    {
        if (Worker.Current?.Core == core)
        {
            d(state);
            return;
        }

        using var done = new ManualResetEventSlim();
        Exception? error = null;
        Post(
            _ =>
            {
                try
                {
                    d(state);
                }
                catch (Exception e)
                {
                    error = e;
                }
                done.Set();
            },
            null);
        done.Wait();
        if (error is not null) throw new System.Reflection.TargetInvocationException(error);
    }

    public override SynchronizationContext CreateCopy() => this;
}
