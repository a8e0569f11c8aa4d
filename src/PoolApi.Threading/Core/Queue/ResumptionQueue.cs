namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queued continuations, first in, first out. A stand-in may take one from the middle, so slots of the ring may be empty.
/// Guarded by the gate.
/// </summary>
internal sealed class ResumptionQueue
{
    private Resumption[] _ring = new Resumption[16]; // a power of two
    private int _first;
    private int _span; // slots in use, including emptied ones

    public int Count { get; private set; }

    public void Enqueue(in Resumption resumption)
    {
        if (_span == _ring.Length) Rebuild();
        Slot(_span++) = resumption;
        Count++;
    }

    public bool TryDequeue(out Resumption resumption)
    {
        while (_span > 0)
        {
            resumption = _ring[_first];
            Slot(0) = default;
            _first = (_first + 1) & (_ring.Length - 1);
            _span--;
            if (resumption.Item is null) continue; // a stand-in took it
            Count--;
            return true;
        }
        resumption = default;
        return false;
    }

    /// <summary>
    /// Finds the continuation that the longest chain of items waits for. If an item holds no worker and no other item
    /// caused it, the queue knows of no waiter for its continuation.
    /// </summary>
    /// <param name="index">Its index, for <see cref="TakeAt"/>.</param>
    /// <returns>The length of the chain; 0: there is no such continuation.</returns>
    public int FindDeepest(out int index)
    {
        int deepest = 0;
        index = -1;
        for (int i = 0; i < _span; i++)
        {
            if (Slot(i).Item is not { } item) continue;
            int depth = Math.Min(CausedItems.MaxDepth, item.Depth + (item.HoldsWorker ? 1 : 0));
            if (depth <= deepest) continue;
            deepest = depth;
            index = i;
        }
        return deepest;
    }

    public Resumption PeekAt(int index) => Slot(index);

    public Resumption TakeAt(int index)
    {
        Resumption taken = Slot(index);
        Slot(index) = default;
        if (--Count == 0) _span = 0;
        return taken;
    }

    public void Clear()
    {
        Array.Clear(_ring);
        _span = Count = 0;
    }

    private ref Resumption Slot(int index) => ref _ring[(_first + index) & (_ring.Length - 1)];

    /// <summary>Grows the ring and removes the empty slots.</summary>
    private void Rebuild()
    {
        var ring = new Resumption[Count * 2 > _ring.Length ? _ring.Length * 2 : _ring.Length];
        int count = 0;
        for (int i = 0; i < _span; i++)
        {
            if (Slot(i).Item is not null) ring[count++] = Slot(i);
        }
        _ring = ring;
        _first = 0;
        _span = count;
    }
}
