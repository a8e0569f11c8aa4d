namespace PoolApi.Jobs.Sqlite;

/// <summary>What callers want done, for the threads that do it. They sleep while there is nothing.</summary>
internal sealed class Inbox<T>
{
    private readonly object _lock = new();
    private readonly Queue<T> _waiting = new();
    private bool _refuses;
    private bool _isClosed;

    /// <summary>Puts one in.</summary>
    /// <returns>Whether it is in: not if it is closed.</returns>
    public bool TryAdd(T item)
    {
        lock (_lock)
        {
            if (_refuses) return false;
            _waiting.Enqueue(item);
            // Whoever takes looks again before he sleeps: only the first has to wake him.
            if (_waiting.Count == 1) Monitor.Pulse(_lock);
            return true;
        }
    }

    /// <summary>Takes what waits, at most so many, once there is something.</summary>
    /// <param name="into">Where to.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="weight">How heavy one is; <see langword="null"/>: nothing is.</param>
    /// <param name="mostWeight">How heavy all are together at most; one is taken however heavy it is.</param>
    /// <returns>Whether there was something; if not, it is closed and empty.</returns>
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

    /// <summary>Lets nothing more in. Whoever takes still waits, until <see cref="Close"/>.</summary>
    public void Refuse()
    {
        lock (_lock) _refuses = true;
    }

    /// <summary>Lets nothing more in. What is in can still be taken.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _refuses = _isClosed = true;
            Monitor.PulseAll(_lock);
        }
    }
}
