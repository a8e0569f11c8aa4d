namespace PoolApi.Threading.Core;

/// <summary>Brings continuations after an <see langword="await"/> inside an item back to the item's pool.</summary>
internal sealed class WorkItemSynchronizationContext(PoolCore core, PoolWorkItem item) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => core.Async.Post(item, d, state);

    /// <summary>On a worker of the same pool the callback runs in place: waiting for another worker could deadlock.</summary>
    public override void Send(SendOrPostCallback d, object? state)
    {
        if (Worker.Current?.Core == core)
        {
            d(state);
            return;
        }

        var done = new TaskCompletionSource();
        bool posted = core.Async.Post(
            item,
            _ =>
            {
                try
                {
                    d(state);
                    done.SetResult();
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            },
            null);
        // A stop that gives up drops queued continuations, including this callback.
        if (!posted || Task.WaitAny(done.Task, core.Stop.Finished) != 0)
            throw new InvalidOperationException($"The pool '{core.Name}' has stopped; nobody is left to run the callback.");
        if (done.Task.Exception?.InnerException is { } error) throw new System.Reflection.TargetInvocationException(error);
    }

    public override SynchronizationContext CreateCopy() => this;
}
