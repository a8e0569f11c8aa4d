namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued items that another item of the same pool submitted while it held a worker. An index for stand-ins: each of these
/// items also has its place in its lane, where the workers take it in its turn. Guarded by the gate.
/// </summary>
internal struct CausedItems
{
    /// <summary>Items are told apart by the length of the chain that caused them, up to this.</summary>
    public const int MaxDepth = 7;

    private readonly Cause?[] _newest = new Cause?[MaxDepth + 1]; // by depth, linked to the older

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

    /// <summary>The newest of the deepest; null: there is none.</summary>
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
/// Who caused an item, and its place in the index; and how long it may run. Apart from the item, which is smaller without: few are
/// caused, or have a limit of their own.
/// </summary>
internal sealed class Cause(PoolWorkItem item)
{
    internal QueueWorker? By; // whose thread submitted it; null: the item that did is suspended, or nobody knows
    internal Cause? Newer; // guarded by the gate, as the next
    internal Cause? Older;
    internal long RunLimit; // in ticks; 0: none of its own. Written by the submitter

    public PoolWorkItem Item => item;
}
