namespace PoolApi.Jobs.Sqlite;

/// <summary>
/// Collects what one transaction changes, so that listeners are notified after its commit. Reused for the next transaction, and discarded if this
/// one is rolled back. Used by the writer's thread only.
/// </summary>
internal sealed class Batch
{
    private readonly List<JobChange> _changes = [];
    private readonly int[] _counts = new int[JobStates.All.Count];
    private bool _mayBeDue;

    /// <summary>The wall clock's time, fixed for the transaction. For times that people read, and for start times that clients give.</summary>
    public DateTimeOffset Now { get; private set; }

    /// <summary>The store's steady time (<see cref="StoreClock"/>), fixed for the transaction. For everything that is a duration.</summary>
    public DateTimeOffset Steady { get; private set; }

    public void Begin(StoreTime time)
    {
        (Now, Steady) = (time.Now, time.Steady);
        _changes.Clear();
        _counts.AsSpan().Clear();
        _mayBeDue = false;
    }

    /// <summary>Changes the number of jobs in a state.</summary>
    public void Count(JobState state, int by) => _counts[(int)state] += by;

    /// <summary>Records a changed job.</summary>
    public void Changed(JobRow row) =>
        _changes.Add(new JobChange(row.Id, row.Version, row.IsCancelRequested && row.State == JobState.Running));

    /// <summary>Records that a job was queued.</summary>
    public void MayBeDue() => _mayBeDue = true;

    /// <summary>The change of the number of jobs in a state.</summary>
    public int CountOf(JobState state) => _counts[(int)state];

    /// <summary>Notifies a listener, after the commit.</summary>
    public void Notify(IJobStoreListener? listener)
    {
        if (listener is null) return;
        foreach (JobChange change in _changes) listener.Changed(change);
        if (_mayBeDue) listener.MayBeDue();
    }
}
