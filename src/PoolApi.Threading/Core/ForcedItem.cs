namespace PoolApi.Threading.Core;

/// <summary>
/// A task or a callback that is queued past the capacity. It cannot be handed back: if it does not get its turn, it runs on the .NET
/// ThreadPool, so that its waiters do not hang.
/// </summary>
/// <remarks>
/// On either thread it runs under a <see cref="WorkContext"/>: code after an await returns to the pool, or runs on the .NET ThreadPool if the pool is
/// closed to it.
/// </remarks>
internal abstract class ForcedItem(PoolCore core) : PoolWorkItem
{
    internal override bool IsOfPool => true;

    protected PoolCore Pool { get; } = core;

    /// <summary>Queues it to the .NET ThreadPool.</summary>
    public void RunElsewhere() => ThreadPool.UnsafeQueueUserWorkItem(static item => item.RunHere(), this, preferLocal: false);

    /// <summary>The work on a thread of the .NET ThreadPool.</summary>
    protected virtual void ExecuteElsewhere() => Execute();

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        if (StartedAt == 0 && outcome != WorkOutcome.Abandoned) RunElsewhere();
    }

    private void RunHere()
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        try
        {
            ExecuteElsewhere();
        }
        catch (Exception e)
        {
            // An unhandled exception on this thread would end the process.
            Pool.Observers.Unhandled(this, e);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }
}
