namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The fields that few items need: the worker that submitted the item, the item's links in <see cref="CausedItems"/>, and its limit on run time.
/// They are apart from the item to keep items small.
/// </summary>
internal sealed class ItemExtras(PoolWorkItem item)
{
    internal QueueWorker? SubmittingWorker; // the worker on whose thread it was submitted; null: the causing item is suspended, or unknown
    internal ItemExtras? Newer; // guarded by the gate, as the next
    internal ItemExtras? Older;
    internal long RunLimit; // in ticks; 0: no limit of its own. Written by the submitter

    public PoolWorkItem Item => item;
}
