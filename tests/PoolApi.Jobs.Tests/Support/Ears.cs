using System.Collections.Concurrent;

namespace PoolApi.Jobs.Tests;

/// <summary>Notes what a store tells.</summary>
internal sealed class Ears : IJobStoreListener
{
    private int _due;
    private int _missed;

    public ConcurrentQueue<JobChange> Changes { get; } = new();

    public int Due => Volatile.Read(ref _due);

    public int Missed => Volatile.Read(ref _missed);

    public Action<JobChange>? OnChange { get; set; }

    public Action? OnMissed { get; set; }

    public void Changed(JobChange change)
    {
        Changes.Enqueue(change);
        OnChange?.Invoke(change);
    }

    public void MayBeDue() => Interlocked.Increment(ref _due);

    public void MayHaveMissed()
    {
        Interlocked.Increment(ref _missed);
        OnMissed?.Invoke();
    }

    /// <summary>Waits until a version of a job, or a later one, has been told.</summary>
    public Task HearAsync(Guid id, long version) =>
        Patience.UntilAsync(() => Changes.Any(c => c.Id == id && c.Version >= version), $"That job {id} has version {version}");
}
