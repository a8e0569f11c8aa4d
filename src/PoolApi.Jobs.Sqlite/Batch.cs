namespace PoolApi.Jobs.Sqlite;

/// <summary>What a transaction has done, as far as others are to be told after its commit; forgotten if there is none.</summary>
internal sealed class Batch
{
    private readonly List<JobChange> _changes = [];
    private readonly int[] _counts = new int[JobStates.All.Count];
    private bool _mayBeDue;

    /// <summary>What the machine's clock shows, for all of the transaction: for times that people read, and for times of day.</summary>
    public DateTimeOffset Now { get; private set; }

    /// <summary>The store's own time, for all of the transaction: for everything that takes a certain time.</summary>
    public DateTimeOffset Steady { get; private set; }

    public void Begin(StoreTime time)
    {
        (Now, Steady) = (time.Now, time.Steady);
        _changes.Clear();
        _counts.AsSpan().Clear();
        _mayBeDue = false;
    }

    /// <summary>A job is in a state, or is not in it any more.</summary>
    public void Count(JobState state, int by) => _counts[(int)state] += by;

    /// <summary>A job has changed.</summary>
    public void Changed(JobRow row) =>
        _changes.Add(new JobChange(row.Id, row.Version, row.IsCancelRequested && row.State == JobState.Running));

    /// <summary>A job is queued.</summary>
    public void MayBeDue() => _mayBeDue = true;

    /// <summary>By how much the number of jobs in a state has changed.</summary>
    public int CountOf(JobState state) => _counts[(int)state];

    /// <summary>Tells of what is committed now.</summary>
    public void Tell(IJobStoreListener? listener)
    {
        if (listener is null) return;
        foreach (JobChange change in _changes) listener.Changed(change);
        if (_mayBeDue) listener.MayBeDue();
    }
}
