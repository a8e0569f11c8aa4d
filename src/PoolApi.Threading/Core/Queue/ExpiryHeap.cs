namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued items that have a limit of their own, the next to expire on top: a binary heap whose items know their
/// index, so that any item can be removed at once. Items with the pool's common limit are not here, because their lane is in the
/// order of their expiry already. Guarded by the gate.
/// </summary>
/// <param name="resizing">Called before the array is resized; a test makes it fail.</param>
internal sealed class ExpiryHeap(Action? resizing = null)
{
    private PoolWorkItem?[] _items = new PoolWorkItem?[16]; // from 1
    private int _count;

    public PoolWorkItem? Top => _items[1];

    /// <summary>Adds the item. Without memory for it, it stays outside, and expires when a worker would take it.</summary>
    public void Add(PoolWorkItem item)
    {
        if (_count + 1 == _items.Length && !TryResize(_items.Length * 2))
        {
            item.ExpiryIndex = 0;
            return;
        }
        Up(++_count, item);
    }

    /// <summary>Takes the item out, if it is there.</summary>
    public void Remove(PoolWorkItem item)
    {
        int hole = item.ExpiryIndex;
        if (hole == 0) return;
        item.ExpiryIndex = 0;
        PoolWorkItem last = _items[_count]!;
        _items[_count--] = null;
        // Shrinks after a burst, by halves with hysteresis, so that the array is not resized back and forth.
        if (_items.Length > 1024 && _count < _items.Length / 4) TryResize(_items.Length / 2);
        if (ReferenceEquals(last, item)) return;
        if (hole > 1 && last.ExpiresAt < _items[hole / 2]!.ExpiresAt) Up(hole, last);
        else Down(hole, last);
    }

    /// <summary>The caller holds the gate, so no exception may leave it.</summary>
    /// <returns><see langword="false"/> if there is no memory.</returns>
    private bool TryResize(int length)
    {
        try
        {
            resizing?.Invoke();
            Array.Resize(ref _items, length);
            return true;
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
    }

    private void Up(int hole, PoolWorkItem item)
    {
        for (; hole > 1 && item.ExpiresAt < _items[hole / 2]!.ExpiresAt; hole /= 2) Put(hole, _items[hole / 2]!);
        Put(hole, item);
    }

    private void Down(int hole, PoolWorkItem item)
    {
        while (hole * 2 <= _count)
        {
            int child = hole * 2;
            if (child < _count && _items[child + 1]!.ExpiresAt < _items[child]!.ExpiresAt) child++;
            if (item.ExpiresAt <= _items[child]!.ExpiresAt) break;
            Put(hole, _items[child]!);
            hole = child;
        }
        Put(hole, item);
    }

    private void Put(int index, PoolWorkItem item)
    {
        _items[index] = item;
        item.ExpiryIndex = index;
    }
}
