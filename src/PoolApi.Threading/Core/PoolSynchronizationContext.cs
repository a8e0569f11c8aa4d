using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading.Core;

/// <summary>Runs callbacks on the pool. The rules stand at <see cref="FixedThreadPool.SynchronizationContext"/>.</summary>
internal sealed class PoolSynchronizationContext(PoolCore core) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state)
    {
        if (!core.TryForce(new CallbackItem(this, d, state))) throw new WorkRejectedException(core.Name, SubmitResult.Closed);
    }

    /// <summary>On a worker of the same pool the callback runs in place: waiting for another worker could deadlock.</summary>
    public override void Send(SendOrPostCallback d, object? state)
    {
        if (Worker.Current?.Core == core) d(state);
        else SendFromOutside(d, state);
    }

    public override SynchronizationContext CreateCopy() => this;

    private void SendFromOutside(SendOrPostCallback d, object? state)
    {
        var item = new SentItem(this, d, state, core);
        if (!core.TryForce(item)) throw new WorkRejectedException(core.Name, SubmitResult.Closed);
        item.Ended.GetAwaiter().GetResult(); // blocks the caller, as Send must
    }

    /// <summary>A callback whose sender waits.</summary>
    private sealed class SentItem(PoolSynchronizationContext context, SendOrPostCallback callback, object? state, PoolCore core)
        : CallbackItem(context, callback, state)
    {
        private readonly TaskCompletionSource _ended = new();

        public Task Ended => _ended.Task;

        protected override void OnEnded(WorkOutcome outcome, Exception? exception)
        {
            if (outcome == WorkOutcome.Completed) _ended.SetResult();
            else _ended.SetException(default(CallLabels).ToException(core, outcome, exception, default));
        }
    }

    private class CallbackItem(PoolSynchronizationContext context, SendOrPostCallback callback, object? state) : PoolWorkItem
    {
        private readonly ExecutionContext? _flow = ExecutionContext.Capture();

        public override string Kind => "callback";

        protected override void Execute()
        {
            SetSynchronizationContext(context); // what follows an await in the callback comes back too
            if (_flow is null) callback(state);
            else ExecutionContext.Run(_flow, static self => ((CallbackItem)self!).Invoke(), this); // SetSynchronizationContext is per thread, not part of the flow
        }

        /// <summary>As a task of the pool's scheduler.</summary>
        protected override void OnEnded(WorkOutcome outcome, Exception? exception)
        {
            if (StartedAt == 0 && outcome != WorkOutcome.Abandoned) ThreadPool.UnsafeQueueUserWorkItem(static item => item.Elsewhere(), this, preferLocal: false);
        }

        private void Invoke() => callback(state);

        private void Elsewhere()
        {
            if (_flow is null) callback(state);
            else ExecutionContext.Run(_flow, static self => ((CallbackItem)self!).Invoke(), this);
        }
    }
}
