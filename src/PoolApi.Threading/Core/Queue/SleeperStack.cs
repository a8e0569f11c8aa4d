using System.Diagnostics.CodeAnalysis;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The sleeping workers, last in, first out: the worker that fell asleep last has the warmest cache, and the others can stay
/// asleep. Guarded by the gate.
/// </summary>
internal struct SleeperStack
{
    private QueueWorker? _top;

    public int Count { get; private set; }

    public void Push(QueueWorker worker)
    {
        worker.NextSleeper = _top;
        worker.Sleeps = true;
        _top = worker;
        Count++;
    }

    public bool TryPop([NotNullWhen(true)] out QueueWorker? worker)
    {
        worker = _top;
        if (worker is null) return false;
        _top = worker.NextSleeper;
        worker.NextSleeper = null;
        worker.Sleeps = false;
        Count--;
        return true;
    }

    /// <summary>Removes a worker, wherever it is, if it is in the stack. Rare: it woke without a request.</summary>
    public void Remove(QueueWorker worker)
    {
        if (!worker.Sleeps) return;
        worker.Sleeps = false;
        Count--;
        if (ReferenceEquals(_top, worker))
        {
            _top = worker.NextSleeper;
        }
        else
        {
            QueueWorker? above = _top;
            while (!ReferenceEquals(above!.NextSleeper, worker)) above = above.NextSleeper;
            above.NextSleeper = worker.NextSleeper;
        }
        worker.NextSleeper = null;
    }
}
