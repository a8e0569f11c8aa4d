namespace PoolApi.Threading.Core;

/// <summary>Runs tasks on the pool. The rules stand at <see cref="FixedThreadPool.TaskScheduler"/>.</summary>
internal sealed class PoolTaskScheduler(PoolCore core) : TaskScheduler
{
    public override int MaximumConcurrencyLevel => core.Workers.Size;

    protected override void QueueTask(Task task)
    {
        if (!core.TryForce(new TaskItem(this, task))) throw new WorkRejectedException(core.Name, SubmitResult.Closed);
    }

    /// <summary>On a worker: a worker that waits for a task of its own pool runs it, so it cannot wait in vain.</summary>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        // If it was queued, its item comes to nothing later: a task runs once, whoever tries.
        Worker.Current?.Core == core && TryExecuteTask(task);

    /// <summary>For a debugger, which gets none: to list them would take the gate, which a stopped thread may hold.</summary>
    protected override IEnumerable<Task> GetScheduledTasks() => [];

    private sealed class TaskItem(PoolTaskScheduler scheduler, Task task) : PoolWorkItem
    {
        public override string Kind => "task";

        protected override void Execute() => scheduler.TryExecuteTask(task);

        /// <summary>A task cannot be handed back: one whose turn did not come runs elsewhere, so that nobody waits for ever.</summary>
        protected override void OnEnded(WorkOutcome outcome, Exception? exception)
        {
            if (StartedAt == 0 && outcome != WorkOutcome.Abandoned) ThreadPool.UnsafeQueueUserWorkItem(static item => item.Execute(), this, preferLocal: false);
        }
    }
}
