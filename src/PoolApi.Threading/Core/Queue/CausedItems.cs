namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued items that another item of the same pool submitted while it held a worker. An index for stand-ins: each of these
/// items also has its place in its lane, where the workers take it in its turn. Guarded by the gate.
/// </summary>
internal struct CausedItems
{
    /// <summary>Items are told apart by the length of the chain that caused them, up to this.</summary>
    public const int MaxDepth = 7;

    private readonly PoolWorkItem?[] _newest = new PoolWorkItem?[MaxDepth + 1]; // by depth, linked to the older

    public CausedItems()
    {
    }

    public int Count { get; private set; }

    public void Add(PoolWorkItem item)
    {
        ref PoolWorkItem? newest = ref _newest[item.Depth];
        item.OlderCaused = newest;
        if (newest is not null) newest.NewerCaused = item;
        newest = item;
        Count++;
    }

    public void Remove(PoolWorkItem item)
    {
        if (item.NewerCaused is { } newer) newer.OlderCaused = item.OlderCaused;
        else _newest[item.Depth] = item.OlderCaused;
        if (item.OlderCaused is { } older) older.NewerCaused = item.NewerCaused;
        item.OlderCaused = item.NewerCaused = null;
        Count--;
    }

    /// <summary>The newest of the deepest; null: there is none.</summary>
    public readonly PoolWorkItem? Deepest
    {
        get
        {
            if (Count == 0) return null;
            int depth = MaxDepth;
            while (_newest[depth] is null) depth--;
            return _newest[depth];
        }
    }
}
