using System.Diagnostics.CodeAnalysis;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>A <see cref="Queue{T}"/> under one monitor, on which threads block.</summary>
internal sealed class MonitorQueue<T>
{
    private readonly Queue<T> _items = new();
    private bool _closed;

    public void Add(T item)
    {
        lock (_items)
        {
            _items.Enqueue(item);
            Monitor.Pulse(_items);
        }
    }

    public void Close()
    {
        lock (_items)
        {
            _closed = true;
            Monitor.PulseAll(_items);
        }
    }

    /// <summary>Waits for an item.</summary>
    /// <returns><see langword="false"/> if the queue is closed and empty.</returns>
    public bool TryTake([MaybeNullWhen(false)] out T item)
    {
        lock (_items)
        {
            while (!_items.TryDequeue(out item))
            {
                if (_closed) return false;
                Monitor.Wait(_items);
            }
            return true;
        }
    }
}
