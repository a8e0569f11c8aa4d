namespace PoolApi.Threading.Core;

/// <summary>
/// A task or a callback that is queued past the capacity. It cannot be handed back: one whose turn did not come runs on the .NET
/// ThreadPool, so that nobody waits for ever.
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
