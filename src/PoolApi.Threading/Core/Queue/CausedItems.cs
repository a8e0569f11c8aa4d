namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued items that another item of the same pool submitted while it held a worker. An index for stand-ins: each of these
/// items is also in its lane, where the workers take it in its turn. Guarded by the gate.
/// </summary>
internal struct CausedItems
{
    /// <summary>The largest depth that is distinguished: the length of the chain of items that caused an item.</summary>
    public const int MaxDepth = 7;

    private readonly Cause?[] _newest = new Cause?[MaxDepth + 1]; // by depth; each is linked to the next older one

    public CausedItems()
    {
    }

    public int Count { get; private set; }

    public void Add(PoolWorkItem item)
    {
        ref Cause? newest = ref _newest[item.Depth];
        Cause cause = item.Cause!;
        cause.Older = newest;
        if (newest is not null) newest.Newer = cause;
        newest = cause;
        Count++;
    }

    public void Remove(PoolWorkItem item)
    {
        Cause cause = item.Cause!;
        if (cause.Newer is { } newer) newer.Older = cause.Older;
        else _newest[item.Depth] = cause.Older;
        if (cause.Older is { } older) older.Newer = cause.Newer;
        cause.Older = cause.Newer = null;
        Count--;
    }

    /// <summary>The newest item of the largest depth; null if there is none.</summary>
    public readonly PoolWorkItem? Deepest
    {
        get
        {
            if (Count == 0) return null;
            int depth = MaxDepth;
            while (_newest[depth] is null) depth--;
            return _newest[depth]!.Item;
        }
    }
}

/// <summary>
/// The cause of an item, its links in the index, and its limit on run time. Apart from the item, to keep items small: few items are
/// caused or have a limit of their own.
/// </summary>
internal sealed class Cause(PoolWorkItem item)
{
    internal QueueWorker? SubmittingWorker; // the worker on whose thread it was submitted; null: the causing item is suspended, or unknown
    internal Cause? Newer; // guarded by the gate, as the next
    internal Cause? Older;
    internal long RunLimit; // in ticks; 0: no limit of its own. Written by the submitter

    public PoolWorkItem Item => item;
}
