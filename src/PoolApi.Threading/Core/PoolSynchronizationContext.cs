namespace PoolApi.Threading.Core;

/// <summary>Runs callbacks on the pool. <see cref="FixedThreadPool.SynchronizationContext"/> documents the rules.</summary>
internal sealed class PoolSynchronizationContext(PoolCore core) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state)
    {
        if (!core.TryForce(new CallbackItem(core, d, state))) throw new WorkRejectedException(core.Name, SubmitResult.Closed);
    }

    /// <summary>On a worker of the same pool the callback runs in place: waiting for another worker could deadlock.</summary>
    public override void Send(SendOrPostCallback d, object? state)
    {
        if (Worker.Current?.Core == core) d(state);
        else SentItem.Send(core, null, d, state);
    }

    public override SynchronizationContext CreateCopy() => this;
}

/// <summary>A callback that runs on the pool, in its caller's flow.</summary>
internal class CallbackItem(PoolCore core, SendOrPostCallback callback, object? state) : ForcedItem(core)
{
    private readonly ExecutionContext? _flow = ExecutionContext.Capture();

    public override string Kind => "callback";

    protected override void Execute()
    {
        // Code after an await in the callback also returns to the pool. A synchronization context belongs to the thread and does not flow.
        SynchronizationContext.SetSynchronizationContext(new CallbackContext(Pool, this));
        InFlow();
    }

    /// <summary>No caller waits for a posted callback, so the observer is notified of its failure.</summary>
    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        base.OnEnded(outcome, exception);
        if (outcome == WorkOutcome.Failed) Pool.Observers.Unhandled(this, exception!);
    }

    private void InFlow()
    {
        if (_flow is null) callback(state);
        else ExecutionContext.Run(_flow, static self => ((CallbackItem)self!).Invoke(), this);
    }

    private void Invoke() => callback(state);

    private sealed class CallbackContext(PoolCore core, PoolWorkItem cause) : WorkContext(core, cause)
    {
        private readonly PoolCore _core = core;

        protected override ForcedItem ToItem(SendOrPostCallback d, object? state) => new CallbackItem(_core, d, state);
    }
}

/// <summary>A callback whose sender waits.</summary>
internal sealed class SentItem : CallbackItem
{
    private readonly TaskCompletionSource _ended = new();

    private SentItem(PoolCore core, SendOrPostCallback callback, object? state)
        : base(core, callback, state)
    {
    }

    /// <param name="core">The pool.</param>
    /// <param name="cause">The item from whose context it is sent; null: it is sent from outside the pool.</param>
    /// <param name="callback">The callback.</param>
    /// <param name="state">The callback's argument.</param>
    public static void Send(PoolCore core, PoolWorkItem? cause, SendOrPostCallback callback, object? state)
    {
        var item = new SentItem(core, callback, state);
        if (!core.TryForce(item, cause)) throw new WorkRejectedException(core.Name, SubmitResult.Closed);
        item._ended.Task.GetAwaiter().GetResult(); // blocks the caller, as Send must
    }

    /// <summary>The sender gets the exception.</summary>
    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        if (outcome == WorkOutcome.Completed) _ended.SetResult();
        else _ended.SetException(default(CallLabels).ToException(Pool, outcome, exception, default));
    }
}
