using System.Diagnostics.CodeAnalysis;

namespace PoolApi.Threading.Core;

/// <summary>
/// The workers that sleep, last one first: the one that fell asleep last has the warmest cache, and the others can stay
/// asleep. Guarded by the pool's gate.
/// </summary>
internal struct IdleStack
{
    private Worker? _top;

    public readonly bool IsEmpty => _top is null;

    public void Push(Worker worker)
    {
        worker.NextIdle = _top;
        _top = worker;
    }

    public bool TryPop([NotNullWhen(true)] out Worker? worker)
    {
        worker = _top;
        if (worker is null) return false;
        _top = worker.NextIdle;
        worker.NextIdle = null;
        return true;
    }

    /// <summary>Takes one worker out, wherever it is, if it is there. Rare: its thread died.</summary>
    public void Remove(Worker worker)
    {
        if (ReferenceEquals(_top, worker))
        {
            _top = worker.NextIdle;
        }
        else
        {
            Worker? above = _top;
            while (above is not null && !ReferenceEquals(above.NextIdle, worker)) above = above.NextIdle;
            if (above is null) return;
            above.NextIdle = worker.NextIdle;
        }
        worker.NextIdle = null;
    }
}
