using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// A doubly linked list through the items' own links, oldest first. An item is in at most one. Guarded by the gate.
/// The first item's Previous is undefined: it may refer to an item that was removed.
/// </summary>
internal struct WorkItemList
{
    private PoolWorkItem? _last;

    private PoolWorkItem? _first;

    public PoolWorkItem? First
    {
        readonly get => _first;
        private set => _first = value;
    }

    /// <summary>An estimate for threads that do not hold the lock of the list.</summary>
    public bool LikelyHasItems<TOps>()
        where TOps : struct, IAtomicOps => TOps.Read(ref _first) is not null;

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

    public void AddFirst(PoolWorkItem item)
    {
        item.Next = First;
        item.Previous = null;
        if (First is null) _last = item;
        else First.Previous = item;
        First = item;
        Count++;
    }

    /// <summary>Appends all items of the other list.</summary>
    public void Append(ref WorkItemList other)
    {
        if (other.First is not { } first) return;
        if (_last is null) First = first;
        else _last.Next = first;
        first.Previous = _last;
        _last = other._last;
        Count += other.Count;
        other = default;
    }

    /// <summary>Prepends all items of the other list.</summary>
    public void Prepend(ref WorkItemList other)
    {
        if (other._last is not { } last) return;
        last.Next = First;
        if (First is null) _last = last;
        else First.Previous = last;
        First = other.First;
        Count += other.Count;
        other = default;
    }

    /// <summary>Removes the first item. There must be one. It only prefetches the second, whose cache line may be in another core's cache.</summary>
    public PoolWorkItem RemoveFirst()
    {
        PoolWorkItem first = First!;
        PoolWorkItem? next = first.Next;
        First = next;
        first.Previous = null;
        Count--;
        if (next is null)
        {
            _last = null;
            return first;
        }
        Prefetch.Item(next);
        first.Next = null;
        return first;
    }

    /// <summary>Removes the last item. There must be one.</summary>
    public PoolWorkItem RemoveLast()
    {
        PoolWorkItem last = _last!;
        if (ReferenceEquals(First, last)) return RemoveFirst(); // the first item's Previous is undefined
        _last = last.Previous;
        _last!.Next = null;
        last.Previous = null;
        Count--;
        return last;
    }

    public void Remove(PoolWorkItem item)
    {
        if (ReferenceEquals(First, item))
        {
            RemoveFirst();
            return;
        }
        item.Previous!.Next = item.Next;
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
