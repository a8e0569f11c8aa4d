using System.Collections.Concurrent;
using PoolApi.Jobs.Stores;

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

    /// <summary>
    /// Waits until changes by another instance arrive, again and again if need be: one that is made before this instance listens is never told, and
    /// <see cref="Missed"/> rises for other reasons too.
    /// </summary>
    public async Task HearFromAsync(IJobStore other)
    {
        var changed = new HashSet<Guid>();
        await Patience.UntilAsync(
            async () =>
            {
                try
                {
                    Job job = (await other.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)), Patience.Token)).Job;
                    changed.Add(job.Id);
                    await other.CancelAsync(job.Id, Patience.Token);
                }
                catch (JobStoreUnavailableException)
                {
                    // A server that was mute for many may have no session left for a moment.
                }
                return Changes.Any(c => changed.Contains(c.Id));
            },
            "That a change by another instance is told");
    }
}
