namespace PoolApi.Threading.Core;

/// <summary>
/// A task or a callback that is queued past the capacity. It cannot be handed back: if it does not get its turn, it runs on the .NET
/// ThreadPool, so that its waiters do not wait for ever.
/// </summary>
internal abstract class ForcedItem : PoolWorkItem
{
    /// <summary>Queues it to the .NET ThreadPool.</summary>
    public void RunElsewhere() => ThreadPool.UnsafeQueueUserWorkItem(static item => item.Elsewhere(), this, preferLocal: false);

    protected abstract void Elsewhere();

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        if (StartedAt == 0 && outcome != WorkOutcome.Abandoned) RunElsewhere();
    }
}
