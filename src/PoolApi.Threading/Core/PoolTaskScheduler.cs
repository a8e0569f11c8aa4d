namespace PoolApi.Threading.Core;

/// <summary>Runs tasks on the pool. The rules stand at <see cref="FixedThreadPool.TaskScheduler"/>.</summary>
internal sealed class PoolTaskScheduler(PoolCore core) : TaskScheduler
{
    public override int MaximumConcurrencyLevel => core.Workers.Size;

    protected override void QueueTask(Task task)
    {
        // ContinueWith hands over a task of a type of the runtime's own, on the thread where the task before has ended.
        if (!core.TryForce(new TaskItem(this, core, task), isContinuation: task.GetType().IsNotPublic)) throw new WorkRejectedException(core.Name, SubmitResult.Closed);
    }

    /// <summary>On a worker: a worker that waits for a task of its own pool runs it, so it cannot wait in vain.</summary>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued)
    {
        // If it was queued, its item comes to nothing later: a task runs once, whoever tries.
        if (Worker.Current is not { } worker || worker.Core != core) return false;
        if (SynchronizationContext.Current is not null || worker.Ledger.Item is not { } item) return TryExecuteTask(task);
        // What awaits in the task belongs to what the worker runs.
        SynchronizationContext.SetSynchronizationContext(new TaskContext(core, this, item));
        try
        {
            return TryExecuteTask(task);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(null);
        }
    }

    /// <summary>For a debugger, which gets none: to list them would take the gate, which a stopped thread may hold.</summary>
    protected override IEnumerable<Task> GetScheduledTasks() => [];

    private sealed class TaskItem(PoolTaskScheduler scheduler, PoolCore core, Task task) : ForcedItem
    {
        public override string Kind => "task";

        protected override void Execute()
        {
            SynchronizationContext.SetSynchronizationContext(new TaskContext(core, scheduler, this));
            scheduler.TryExecuteTask(task);
        }

        protected override void Elsewhere() => scheduler.TryExecuteTask(task);
    }

    /// <summary>What follows an await in a task: a part of it, under the same scheduler.</summary>
#pragma warning disable CA1001 // a task has nothing to dispose of, unless somebody asked for its wait handle
    private sealed class ContinuationItem(PoolTaskScheduler scheduler, PoolCore core, SendOrPostCallback callback, object? state) : ForcedItem
#pragma warning restore CA1001
    {
        // In its caller's flow. Run as a task, so that the scheduler is the current one.
        private readonly Task _task = new(static call => { var (run, with) = ((SendOrPostCallback, object?))call!; run(with); }, (callback, state));

        public override string Kind => "task";

        protected override void Execute()
        {
            SynchronizationContext.SetSynchronizationContext(new TaskContext(core, scheduler, this));
            Run(scheduler);
        }

        protected override void Elsewhere() => Run(Default);

        private void Run(TaskScheduler on)
        {
            _task.RunSynchronously(on);
            // The continuations of tasks do not throw; this comes from an async void method inside the task.
            if (_task.Exception?.InnerException is { } error) core.Listeners.Unhandled(this, error);
        }
    }

    private sealed class TaskContext(PoolCore core, PoolTaskScheduler scheduler, PoolWorkItem cause) : WorkContext(core, cause)
    {
        private readonly PoolCore _core = core;

        protected override ForcedItem ToItem(SendOrPostCallback d, object? state) => new ContinuationItem(scheduler, _core, d, state);
    }
}
