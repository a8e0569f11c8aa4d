using Microsoft.Extensions.Time.Testing;

namespace PoolApi.Threading.Tests.Outcomes;

/// <summary>
/// A pool beside a model of it: which items wait, which run, and how each has ended. After each step the pool settles, and must
/// match the model. The pool chooses which priority starts next, but must keep the order within each priority.
/// </summary>
internal sealed class PoolModel
{
    private readonly FakeTimeProvider _time = new();
    private readonly FixedThreadPool _pool;
    private readonly int _capacity;
    private readonly List<Entry> _all = [];
    private readonly List<Entry> _waiting = [];
    private readonly List<Entry> _running = [];
    private int _workers;
    private int _live;
    private bool _isClosed;
    private TimeSpan _now;

    public PoolModel(int workers, int capacity)
    {
        _pool = Pools.Make(workers, capacity, _time, stuckAfter: TimeSpan.MaxValue);
        _capacity = capacity;
        _workers = _live = workers;
    }

    public void Submit(WorkPriority priority, int limit, bool fails)
    {
        Entry entry = Make(priority, limit, fails);
        SubmitResult expected = _isClosed ? SubmitResult.Closed : Room == 0 ? SubmitResult.QueueFull : SubmitResult.Accepted;
        Assert.Equal(expected, _pool.Answer(entry.Item, options: OptionsOf(entry)));
        if (expected == SubmitResult.Accepted) Accept(entry);
        Settle();
    }

    public void SubmitBatch(int count, WorkPriority priority, int limit)
    {
        Entry[] entries = [.. Enumerable.Range(0, count).Select(_ => Make(priority, limit, false))];
        int expected = _isClosed ? 0 : Math.Min(count, Room);
        PoolWorkItem[] items = [.. entries.Select(static e => e.Item)];
        Assert.Equal(expected, _pool.TrySubmit(items, options: OptionsOf(entries[0])));
        foreach (Entry entry in entries[..expected]) Accept(entry);
        Settle();
    }

    public void Cancel(int which)
    {
        if (_all.Count == 0) return;
        Entry entry = _all[which % _all.Count];
        bool waits = _waiting.Contains(entry);
        Assert.Equal(waits, entry.Item.Cancel("withdrawn"));
        if (waits) End(entry, WorkOutcome.Withdrawn);
        Settle();
    }

    public void Advance(int milliseconds)
    {
        for (int i = 0; i < milliseconds; i++) _time.Advance(TimeSpan.FromMilliseconds(1));
        _now += TimeSpan.FromMilliseconds(milliseconds);
        foreach (Entry entry in _waiting.Where(e => e.ExpiresAt <= _now).ToArray()) End(entry, WorkOutcome.Expired);
        Settle();
    }

    public void Release(int which)
    {
        if (_running.Count == 0) return;
        Entry entry = _running[which % _running.Count];
        entry.Gate.Set();
        End(entry, entry.Fails ? WorkOutcome.Failed : WorkOutcome.Completed);
        if (_live > _workers) _live--;
        Settle();
    }

    public void Resize(int workers)
    {
        _pool.Resize(workers);
        if (!_isClosed)
        {
            _workers = workers;
            _live = Math.Max(workers, _running.Count);
        }
        Assert.Equal(_workers, _pool.Workers);
        Settle();
    }

    public void Close()
    {
        _ = _pool.CloseAsync();
        _isClosed = true;
        Settle();
    }

    /// <summary>Lets all items end, disposes of the pool, and checks the outcomes.</summary>
    public void Finish()
    {
        Close();
        while (_running.Count > 0) Release(0);
        Assert.Empty(_waiting);
        Assert.True(_pool.CloseAsync().Wait(Patience.Long));
        Patience.OnOwnThread(_pool.Dispose).JoinPatiently();
        Assert.All(_all, static e => Assert.Equal([e.Outcome!.Value], e.Item.Endings.Outcomes));
        Assert.All(_all, static e => Assert.Equal(e.Outcome is WorkOutcome.Completed or WorkOutcome.Failed ? 1 : 0, e.Item.Runs));
    }

    /// <summary>Called after a step that failed: lets every thread end.</summary>
    public void Abort()
    {
        foreach (Entry entry in _all) entry.Gate.Set();
        _ = _pool.CloseAsync();
    }

    private int Room => Math.Max(0, _capacity + _live - _waiting.Count - _running.Count);

    private static WorkOptions OptionsOf(Entry entry) =>
        new(priority: entry.Priority, maxQueueTime: entry.Limit == 0 ? null : TimeSpan.FromMilliseconds(entry.Limit));

    private Entry Make(WorkPriority priority, int limit, bool fails)
    {
        var entry = new Entry { Priority = priority, Limit = limit, Fails = fails };
        entry.Item = new TestItem(_ =>
        {
            entry.HasStarted = true;
            entry.Gate.WaitPatiently();
            if (fails) throw new InvalidDataException("on purpose");
        });
        entry.ExpiresAt = limit == 0 ? TimeSpan.MaxValue : _now + TimeSpan.FromMilliseconds(limit);
        return entry;
    }

    private void Accept(Entry entry)
    {
        _all.Add(entry);
        _waiting.Add(entry);
    }

    private void End(Entry entry, WorkOutcome outcome)
    {
        entry.Outcome = outcome;
        _waiting.Remove(entry);
        _running.Remove(entry);
    }

    private void Settle()
    {
        int starts = Math.Min(_waiting.Count, Math.Max(0, _workers - _running.Count));
        Patience.Until(() => _waiting.Count(static e => e.HasStarted) == starts);
        foreach (WorkPriority priority in Enum.GetValues<WorkPriority>())
        {
            Entry[] lane = [.. _waiting.Where(e => e.Priority == priority)];
            int started = lane.Count(static e => e.HasStarted);
            Assert.All(lane.Take(started), static e => Assert.True(e.HasStarted)); // no item starts before its turn
        }
        foreach (Entry entry in _waiting.Where(static e => e.HasStarted).ToArray())
        {
            _waiting.Remove(entry);
            _running.Add(entry);
        }
        // Until every ended item is notified, and every surplus worker has left.
        Patience.Until(() => _all.TrueForAll(static e => e.Item.Endings.Count == (e.Outcome is null ? 0 : 1)));
        Patience.Until(() => _pool.GetSnapshot() is var s
            && s.InFlight == _running.Count && s.Workers.Count(static w => w.State != WorkerState.Stopped) == _live);
        PoolSnapshot snapshot = _pool.GetSnapshot();
        Pools.AddsUp(snapshot);
        Assert.Equal(
            (_waiting.Count, _waiting.Count(static e => e.Priority == WorkPriority.High), _waiting.Count(static e => e.Priority == WorkPriority.Low)),
            (snapshot.QueueLength, snapshot.GetQueueLength(WorkPriority.High), snapshot.GetQueueLength(WorkPriority.Low)));
        Assert.Equal(Room == 0, ((IPoolAdmission)_pool).IsLikelyFull);
        IReadOnlyDictionary<WorkOutcome, long> counts = snapshot.Counts;
        Assert.Equal(_all.Count, snapshot.Accepted);
        Assert.Equal(
            (Ended(WorkOutcome.Completed), Ended(WorkOutcome.Failed), Ended(WorkOutcome.Withdrawn), Ended(WorkOutcome.Expired)),
            (counts[WorkOutcome.Completed], counts[WorkOutcome.Failed], counts[WorkOutcome.Withdrawn], counts[WorkOutcome.Expired]));

        long Ended(WorkOutcome outcome) => _all.Count(e => e.Outcome == outcome);
    }

    private sealed class Entry
    {
        private volatile bool _hasStarted;

        public TestItem Item { get; set; } = null!;

        public ManualResetEventSlim Gate { get; } = new();

        public WorkPriority Priority { get; init; }

        public int Limit { get; init; }

        public bool Fails { get; init; }

        public TimeSpan ExpiresAt { get; set; }

        public WorkOutcome? Outcome { get; set; }

        public bool HasStarted
        {
            get => _hasStarted;
            set => _hasStarted = value;
        }
    }
}
