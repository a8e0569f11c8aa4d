namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// What was decided under the gate and is to be done after it: waking a thread takes microseconds, and telling an item its
/// end runs code of a caller.
/// </summary>
internal struct DeferredActions
{
    private QueueWorker? _wake;
    private PoolWorkItem? _ended;

    private Needs _needs;

    public readonly bool IsNothing => _wake is null && _ended is null && _needs == 0;

    /// <summary>Everything accepted has ended, and nothing more is accepted.</summary>
    public bool IsDrained
    {
        readonly get => Has(Needs.Drained);
        set => Set(Needs.Drained, value);
    }

    /// <summary>Something waits that the timer for limits on waiting does not cover.</summary>
    public bool NeedsTimer
    {
        readonly get => Has(Needs.Timer);
        set => Set(Needs.Timer, value);
    }

    /// <summary>Something waits that a blocked worker may wait for, no worker is free, and the timer for looking at that is not set.</summary>
    public bool NeedsLook
    {
        readonly get => Has(Needs.Look);
        set => Set(Needs.Look, value);
    }

    /// <summary>A stand-in rests, and the timer for dismissing it is not set.</summary>
    public bool NeedsDismissal
    {
        readonly get => Has(Needs.Dismissal);
        set => Set(Needs.Dismissal, value);
    }

    public void Wake(QueueWorker worker)
    {
        worker.NextToWake = _wake;
        _wake = worker;
    }

    public bool TryTakeWoken(out QueueWorker? worker)
    {
        worker = _wake;
        if (worker is null) return false;
        _wake = worker.NextToWake;
        worker.NextToWake = null;
        return true;
    }

    /// <summary>An item that ended without having run. Its links are free by then.</summary>
    public void Tell(PoolWorkItem item)
    {
        item.Next = _ended;
        _ended = item;
    }

    /// <summary>The items to tell, the last ended first.</summary>
    public bool TryTakeEnded(out PoolWorkItem? item)
    {
        item = _ended;
        if (item is null) return false;
        _ended = item.Next;
        item.Next = null;
        return true;
    }

    private readonly bool Has(Needs need) => (_needs & need) != 0;

    private void Set(Needs need, bool isNeeded) => _needs = isNeeded ? _needs | need : _needs & ~need;

    [Flags]
    private enum Needs : byte
    {
        Drained = 1,
        Timer = 2,
        Look = 4,
        Dismissal = 8,
    }
}
