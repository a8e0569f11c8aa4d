using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Which workers sleep, which one searches, and which one is woken. A worker searches from its wake-up, or from the start of its spinning, until it has taken
/// an item or gone to sleep. At most one worker searches, and while one does, no submitter needs to wake another. Why no wake-up is lost
/// is proved in README.md beside this file. Guarded by the gate, except <see cref="Spin"/>.
/// </summary>
internal struct IdleWorkers<TOps>
    where TOps : struct, IAtomicOps
{
    private readonly Inbox<TOps> _inbox;
    private readonly WorkerRegistry<TOps> _registry;
    private readonly SubmitterFlags<TOps> _flags;
    private readonly int _cores;
    private readonly CacheLines _lines = new(1);
    private SleeperStack _sleepers;
    private QueueWorker? _searcher; // awake and about to look, or spinning

    public IdleWorkers(Inbox<TOps> inbox, WorkerRegistry<TOps> registry, SubmitterFlags<TOps> flags, int cores)
    {
        _inbox = inbox;
        _registry = registry;
        _flags = flags;
        _cores = cores;
    }

    private readonly ref int SearchHint => ref _lines.Int(0); // 1: the spinning searcher must look under the gate

    /// <summary>Whether no worker sleeps or searches.</summary>
    public readonly bool IsNobodyFree => _sleepers.Count == 0 && _searcher is null;

    /// <summary>Whether a worker may spin: only if the other awake workers leave at least two cores, one of them for the spinning worker.</summary>
    private readonly bool HasCoreToSpare => _registry.Live - _sleepers.Count - 1 < _cores - 1;

    /// <summary>
    /// The worker has no work: it looks for a moment as the only searcher, or it sleeps. Returns null if work has come meanwhile.
    /// </summary>
    public NextStep? Rest(QueueWorker worker, bool maySpin)
    {
        if (maySpin && !worker.HasSpun && (_searcher is null || ReferenceEquals(_searcher, worker)) && HasCoreToSpare)
        {
            _searcher = worker;
            worker.HasSpun = true;
            TOps.Write(ref SearchHint, 0);
            Publish();
            return NextStep.Spin;
        }
        worker.HasSpun = false;
        if (ReferenceEquals(_searcher, worker)) _searcher = null;
        _sleepers.Push(worker);
        Publish();
        // Pairs with the push, as in EndSearch.
        TOps.Fence(); // fault point: rest-fence
        if (!_inbox.HasItems) return NextStep.Sleep; // fault point: rest-check-again
        _sleepers.Remove(worker);
        // The worker searches on: a submitter that pushed before the sleep was visible relies on the searcher.
        _searcher ??= worker; // fault point: rest-search-on
        Publish();
        return null;
    }

    /// <summary>The searcher spins for a moment. Not under the gate.</summary>
    public readonly void Spin()
    {
        SpinState spin = default;
        while (TOps.KeepSpinning(ref spin))
        {
            if (_inbox.HasItems || TOps.Read(ref SearchHint) != 0) return;
        }
    }

    /// <summary>The worker has work, or leaves.</summary>
    /// <returns>
    /// <see langword="true"/> if it was the searcher and a worker sleeps: submitters that pushed meanwhile relied on it, so the caller checks whether
    /// there is more work, and passes the wake-up on by <see cref="WakeOne"/>.
    /// </returns>
    public bool EndSearch(QueueWorker worker)
    {
        worker.HasSpun = false;
        if (!ReferenceEquals(_searcher, worker)) return false;
        _searcher = null;
        if (_sleepers.Count == 0) return false;
        Publish();
        // Pairs with the push: a submitter that pushes after this sees the word, and the caller sees the item of one that pushed before.
        TOps.Fence(); // fault point: end-search-fence
        return true;
    }

    /// <summary>Removes the worker from the sleepers, since it woke without the queue's request or leaves.</summary>
    public void Remove(QueueWorker worker)
    {
        if (worker.Sleeps) _sleepers.Remove(worker);
    }

    /// <summary>Announces work outside the inbox: wakes a sleeping worker, or makes the searcher look under the gate.</summary>
    public void Notify(ref DeferredActions after)
    {
        if (_searcher is null) WakeOne(ref after);
        else Hint();
    }

    /// <summary>Makes the searcher, if there is one, look under the gate, because the items that it watches have been moved there.</summary>
    public readonly void Hint()
    {
        if (_searcher is not null) TOps.Write(ref SearchHint, 1);
    }

    /// <summary>Wakes the worker that fell asleep last, if one sleeps. It then searches.</summary>
    public void WakeOne(ref DeferredActions after)
    {
        if (!_sleepers.TryPop(out QueueWorker? sleeper)) return;
        _searcher = sleeper;
        Publish();
        after.Wake(sleeper);
    }

    /// <summary>Wakes all workers, because some or all of them must leave.</summary>
    public void WakeAll(ref DeferredActions after)
    {
        while (_sleepers.TryPop(out QueueWorker? sleeper)) after.Wake(sleeper);
        TOps.Write(ref SearchHint, 1);
        Publish();
    }

    private readonly void Publish() => _flags.Set(SubmitterFlags<TOps>.WakeWorker, _sleepers.Count > 0 && _searcher is null);
}
