namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued items that have a limit of their own, the next to expire on top: a binary heap whose items know their
/// index, so that any item can be removed at once. Items with the pool's common limit are not here, because their lane is in the
/// order of their expiry already. Guarded by the gate.
/// </summary>
internal sealed class ExpiryHeap
{
    private PoolWorkItem?[] _items = new PoolWorkItem?[16]; // from 1
    private int _count;

    public PoolWorkItem? Top => _items[1];

    public void Add(PoolWorkItem item)
    {
        if (++_count == _items.Length) Array.Resize(ref _items, _items.Length * 2);
        Up(_count, item);
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
        if (_items.Length > 1024 && _count < _items.Length / 4) Array.Resize(ref _items, _items.Length / 2);
        if (ReferenceEquals(last, item)) return;
        if (hole > 1 && last.ExpiresAt < _items[hole / 2]!.ExpiresAt) Up(hole, last);
        else Down(hole, last);
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
