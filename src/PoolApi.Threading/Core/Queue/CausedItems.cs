namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued items that another item of the same pool submitted while it held a worker. An index for stand-ins: each of these
/// items is also in its lane, where the workers take it in its turn. Guarded by the gate.
/// </summary>
internal struct CausedItems
{
    /// <summary>The largest depth that is distinguished: the length of the chain of items that caused an item.</summary>
    public const int MaxDepth = 7;

    private readonly ItemExtras?[] _newest = new ItemExtras?[MaxDepth + 1]; // by depth; each is linked to the next older one

    public CausedItems()
    {
    }

    public int Count { get; private set; }

    public void Add(PoolWorkItem item)
    {
        ref ItemExtras? newest = ref _newest[item.Depth];
        ItemExtras extras = item.Extras!;
        extras.Older = newest;
        if (newest is not null) newest.Newer = extras;
        newest = extras;
        Count++;
    }

    public void Remove(PoolWorkItem item)
    {
        ItemExtras extras = item.Extras!;
        if (extras.Newer is { } newer) newer.Older = extras.Older;
        else _newest[item.Depth] = extras.Older;
        if (extras.Older is { } older) older.Newer = extras.Newer;
        extras.Older = extras.Newer = null;
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
