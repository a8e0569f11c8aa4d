namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Side effects that are decided under the gate and carried out after it: waking a thread takes microseconds, and notifying an item of its
/// end runs code of a caller.
/// </summary>
internal struct DeferredActions
{
    private QueueWorker? _wake;
    private PoolWorkItem? _ended;

    private Needs _needs;

    public readonly bool IsNothing => _wake is null && _ended is null && _needs == 0;

    /// <summary>Whether an item has ended without having run. The thread that left the gate must notify it of its end, which runs code of a caller.</summary>
    public readonly bool HasEnded => _ended is not null;

    /// <summary>Whether the pool has drained: it is closed, and every accepted item has ended.</summary>
    public bool IsDrained
    {
        readonly get => Has(Needs.Drained);
        set => Set(Needs.Drained, value);
    }

    /// <summary>Whether an item is queued that expires before the expiry timer fires.</summary>
    public bool NeedsTimer
    {
        readonly get => Has(Needs.Timer);
        set => Set(Needs.Timer, value);
    }

    /// <summary>Whether work is queued that a blocked worker may wait for, no worker is free, and the timer of the stand-in watch is not set.</summary>
    public bool NeedsStandInCheck
    {
        readonly get => Has(Needs.StandInCheck);
        set => Set(Needs.StandInCheck, value);
    }

    /// <summary>Whether a stand-in is idle, and the timer for its dismissal is not set.</summary>
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

    /// <summary>Adds an item that ended without having run. Its links are free by then.</summary>
    public void AddEnded(PoolWorkItem item)
    {
        item.Next = _ended;
        _ended = item;
    }

    /// <summary>The items to notify, the last ended first.</summary>
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
        StandInCheck = 4,
        Dismissal = 8,
    }
}
