namespace PoolApi.Jobs.Sqlite;

/// <summary>The queue of operations between callers and the store's threads, which sleep while it is empty. Unbounded. Thread-safe.</summary>
internal sealed class OperationInbox<T>
{
    private readonly object _lock = new();
    private readonly Queue<T> _waiting = new();
    private bool _refuses;
    private bool _isClosed;

    /// <summary>Adds an operation.</summary>
    /// <returns>Whether it was added; <see langword="false"/> if the inbox is closed.</returns>
    public bool TryAdd(T item)
    {
        lock (_lock)
        {
            if (_refuses) return false;
            _waiting.Enqueue(item);
            // A thread looks again before it sleeps, so only the first operation must wake one.
            if (_waiting.Count == 1) Monitor.Pulse(_lock);
            return true;
        }
    }

    /// <summary>Waits until there is an operation, and takes operations in order.</summary>
    /// <param name="into">Receives them.</param>
    /// <param name="most">The most operations to take.</param>
    /// <param name="weight">Returns the weight of an operation; <see langword="null"/>: all weigh nothing.</param>
    /// <param name="mostWeight">The most weight to take. The first operation is taken at any weight.</param>
    /// <returns>Whether operations were taken; <see langword="false"/>: the inbox is closed and empty.</returns>
    public bool Take(List<T> into, int most, Func<T, long>? weight = null, long mostWeight = 0)
    {
        lock (_lock)
        {
            while (_waiting.Count == 0)
            {
                if (_isClosed) return false;
                Monitor.Wait(_lock);
            }
            long together = 0;
            for (int i = 0; i < most && _waiting.TryPeek(out T? item); i++)
            {
                if (weight is not null) together += weight(item);
                if (i > 0 && together > mostWeight) break;
                into.Add(_waiting.Dequeue());
            }
            if (_waiting.Count > 0) Monitor.Pulse(_lock); // for another thread, if there is one
            return true;
        }
    }

    /// <summary>Refuses further operations. Threads still wait until <see cref="Close"/>.</summary>
    public void Refuse()
    {
        lock (_lock) _refuses = true;
    }

    /// <summary>Refuses further operations and ends the waits. Operations that were added can still be taken.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _refuses = _isClosed = true;
            Monitor.PulseAll(_lock);
        }
    }
}
