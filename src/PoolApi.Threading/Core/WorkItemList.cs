namespace PoolApi.Threading.Core;

/// <summary>
/// A doubly linked list through the items' own links. An item is in at most one: among the waiting or among those in
/// flight. Guarded by the pool's gate.
/// </summary>
internal struct WorkItemList
{
    private PoolWorkItem? _last;

    public PoolWorkItem? First { get; private set; }

    public int Count { get; private set; }

    public void AddLast(PoolWorkItem item)
    {
        item.Previous = _last;
        item.Next = null;
        if (_last is null) First = item;
        else _last.Next = item;
        _last = item;
        Count++;
    }

    public void Remove(PoolWorkItem item)
    {
        if (item.Previous is null) First = item.Next;
        else item.Previous.Next = item.Next;
        if (item.Next is null) _last = item.Previous;
        else item.Next.Previous = item.Previous;
        item.Previous = item.Next = null;
        Count--;
    }

    public readonly PoolWorkItem[] ToArray()
    {
        var items = new PoolWorkItem[Count];
        int i = 0;
        for (PoolWorkItem? item = First; item is not null; item = item.Next) items[i++] = item;
        return items;
    }
}
