using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Who sleeps, who searches, and who is woken. A worker searches from when it is woken, or begins to spin, until it has taken
/// something or gone to sleep; at most one does, and while one does no submitter need wake another. Why no wake-up is lost
/// stands in README.md beside this file. Guarded by the gate, but for <see cref="Look"/>.
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

    private readonly ref int SearchHint => ref _lines.Int(0); // 1: the spinning searcher shall look under the gate

    /// <summary>Whether no worker sleeps, nor searches.</summary>
    public readonly bool IsNobodyFree => _sleepers.Count == 0 && _searcher is null;

    /// <summary>Spinning is for cores that nothing else can use: not while the other workers use all of them but one.</summary>
    private readonly bool HasCoreToSpare => _registry.Live - _sleepers.Count - 1 < _cores - 1;

    /// <summary>
    /// Nothing to do for the worker: it looks for a moment, as the one searcher, or it sleeps. Null: something has come.
    /// </summary>
    public NextStep? Rest(QueueWorker worker, bool maySpin)
    {
        if (maySpin && !worker.HasLooked && (_searcher is null || ReferenceEquals(_searcher, worker)) && HasCoreToSpare)
        {
            _searcher = worker;
            worker.HasLooked = true;
            TOps.Write(ref SearchHint, 0);
            Publish();
            return NextStep.Look;
        }
        worker.HasLooked = false;
        if (ReferenceEquals(_searcher, worker)) _searcher = null;
        _sleepers.Push(worker);
        Publish();
        TOps.Fence(); // pairs with the push, as in EndSearch
        if (!_inbox.HasItems) return NextStep.Sleep;
        _sleepers.Remove(worker);
        _searcher ??= worker; // it searches still: whoever pushed before it could be seen to sleep relies on it
        Publish();
        return null;
    }

    /// <summary>The searcher spins for a moment. Not under the gate.</summary>
    public readonly void Look()
    {
        SpinState spin = default;
        while (TOps.KeepSpinning(ref spin))
        {
            if (_inbox.HasItems || TOps.Read(ref SearchHint) != 0) return;
        }
    }

    /// <summary>The worker has work, or leaves.</summary>
    /// <returns>
    /// True if it was the searcher, and somebody sleeps: whoever pushed meanwhile relied on it, so the caller looks whether
    /// there is more to do, and passes the wake on by <see cref="WakeOne"/>.
    /// </returns>
    public bool EndSearch(QueueWorker worker)
    {
        worker.HasLooked = false;
        if (!ReferenceEquals(_searcher, worker)) return false;
        _searcher = null;
        if (_sleepers.Count == 0) return false;
        Publish();
        TOps.Fence(); // pairs with the push: whoever pushes after this sees the word, whoever pushed before is seen by the caller
        return true;
    }

    /// <summary>The worker does not sleep, if it did: it woke for no reason of the queue's, or leaves.</summary>
    public void Remove(QueueWorker worker)
    {
        if (worker.Sleeps) _sleepers.Remove(worker);
    }

    /// <summary>There is work that the searcher does not see in the inbox: see that somebody comes for it.</summary>
    public void Notify(ref DeferredActions after)
    {
        if (_searcher is null) WakeOne(ref after);
        else Hint();
    }

    /// <summary>The searcher, if there is one, shall look under the gate: what it watches has been moved there.</summary>
    public readonly void Hint()
    {
        if (_searcher is not null) TOps.Write(ref SearchHint, 1);
    }

    /// <summary>Wakes the one that fell asleep last, if any sleeps: it searches.</summary>
    public void WakeOne(ref DeferredActions after)
    {
        if (!_sleepers.TryPop(out QueueWorker? sleeper)) return;
        _searcher = sleeper;
        Publish();
        after.Wake(sleeper);
    }

    /// <summary>Everybody shall look: some leave, or all.</summary>
    public void WakeAll(ref DeferredActions after)
    {
        while (_sleepers.TryPop(out QueueWorker? sleeper)) after.Wake(sleeper);
        TOps.Write(ref SearchHint, 1);
        Publish();
    }

    private readonly void Publish() => _flags.Set(SubmitterFlags<TOps>.WakeSomebody, _sleepers.Count > 0 && _searcher is null);
}
