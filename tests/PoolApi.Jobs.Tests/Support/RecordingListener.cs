using System.Collections.Concurrent;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Tests;

/// <summary>Records the notifications of a store.</summary>
internal sealed class RecordingListener : IJobStoreListener
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

    /// <summary>Waits for the notification of a version of a job or of a later one.</summary>
    public Task WaitForAsync(Guid id, long version) =>
        Patience.UntilAsync(() => Changes.Any(c => c.Id == id && c.Version >= version), $"That job {id} has version {version}");

    /// <summary>
    /// Repeats changes by another instance until a notification of one of them arrives. A change from before this instance listens is never notified.
    /// <see cref="Missed"/> is no sign of that, because it also rises for other reasons.
    /// </summary>
    public async Task WaitForChangeOfAsync(IJobStore other)
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
                    // A server that did not answer many connections may have no free session for a moment.
                }
                return Changes.Any(c => changed.Contains(c.Id));
            },
            "A notification of another instance's change");
    }
}
