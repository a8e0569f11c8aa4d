namespace PoolApi.Threading.Core;

/// <summary>Runs tasks on the pool. <see cref="FixedThreadPool.TaskScheduler"/> documents the rules.</summary>
internal sealed class PoolTaskScheduler(PoolCore core) : TaskScheduler
{
    public override int MaximumConcurrencyLevel => core.Workers.Size;

    protected override void QueueTask(Task task)
    {
        // A task of an internal type of the runtime comes from ContinueWith, which queues it on the thread on which the antecedent has ended.
        if (!core.TryForce(new TaskItem(this, core, task), isContinuation: task.GetType().IsNotPublic)) throw new WorkRejectedException(core.Name, SubmitResult.Closed);
    }

    /// <summary>Runs a task in place on a worker of this pool only. So a worker that waits for a task of its own pool cannot deadlock.</summary>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued)
    {
        // If the task is also queued, its item does nothing later, because a task runs only once.
        if (Worker.Current is not { } worker || worker.Core != core) return false;
        if (SynchronizationContext.Current is not null) return TryExecuteTask(task);
        // The awaits in the task belong to the item that the worker runs. The worker runs none while it notifies an item of its end, because
        // it has already released that item.
        SynchronizationContext.SetSynchronizationContext(new TaskContext(core, this, worker.Ledger.Item));
        try
        {
            return TryExecuteTask(task);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(null);
        }
    }

    /// <summary>Returns nothing: listing the tasks for a debugger would take the gate, which a stopped thread may hold.</summary>
    protected override IEnumerable<Task> GetScheduledTasks() => [];

    private sealed class TaskItem(PoolTaskScheduler scheduler, PoolCore core, Task task) : ForcedItem(core)
    {
        public override string Kind => "task";

        protected override void Execute()
        {
            SynchronizationContext.SetSynchronizationContext(new TaskContext(Pool, scheduler, this));
            scheduler.TryExecuteTask(task);
        }
    }

    /// <summary>A continuation of a task after an await. It belongs to the task and runs under the same scheduler.</summary>
#pragma warning disable CA1001 // a task has nothing to dispose of, unless its wait handle was created
    private sealed class ContinuationItem(PoolTaskScheduler scheduler, PoolCore core, SendOrPostCallback callback, object? state) : ForcedItem(core)
#pragma warning restore CA1001
    {
        // The callback runs as a task, so that the scheduler is the current one. The task captures the execution context of its creator.
        private readonly Task _task = new(static call => { var (run, with) = ((SendOrPostCallback, object?))call!; run(with); }, (callback, state));

        public override string Kind => "task";

        protected override void Execute() => Run(scheduler);

        protected override void ExecuteElsewhere() => Run(Default); // the pool's scheduler runs nothing in place there

        private void Run(TaskScheduler on)
        {
            SynchronizationContext.SetSynchronizationContext(new TaskContext(Pool, scheduler, this));
            _task.RunSynchronously(on);
            // The continuations of tasks do not throw; this comes from an async void method inside the task.
            if (_task.Exception?.InnerException is { } error) Pool.Observers.Unhandled(this, error);
        }
    }

    private sealed class TaskContext(PoolCore core, PoolTaskScheduler scheduler, PoolWorkItem? cause) : WorkContext(core, cause)
    {
        private readonly PoolCore _core = core;

        protected override ForcedItem ToItem(SendOrPostCallback d, object? state) => new ContinuationItem(scheduler, _core, d, state);
    }
}
