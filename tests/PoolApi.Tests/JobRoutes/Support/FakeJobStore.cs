using PoolApi.Jobs;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace PoolApi.Tests.JobRoutes.Support;

/// <summary>A job store in memory for the tests of the routes. A test changes its jobs, and the store notifies the watchers.</summary>
internal sealed class FakeJobStore : IJobStore
{
    private static int s_made;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, JobWithResult> _jobs = [];

    public FakeJobStore() => Watch = new JobWatch(this);

    public JobWatch Watch { get; }

    public IJobStoreListener? Listener { get; set; }

    public bool IsShared => false;

    /// <summary>Whether the store is unavailable, as if its database were down. Then its methods throw, and changes are not reported.</summary>
    public bool IsAway { get; set; }

    public static Job New(JobState state = JobState.Queued, string kind = "thumbnails", string? client = null, Guid? id = null) => new()
    {
        // A millisecond apart, because ids of the same millisecond have no order.
        Id = id ?? Guid.CreateVersion7(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMilliseconds(Interlocked.Increment(ref s_made))),
        Kind = kind,
        Client = client,
        State = state,
        Version = 1,
        CreatedAt = DateTimeOffset.UtcNow,
        RunAt = DateTimeOffset.UtcNow,
    };

    public Job Put(Job job, JobResult? result = null, bool isSwept = false)
    {
        lock (_lock) _jobs[job.Id] = new JobWithResult(job, result, isSwept);
        Watch.Changed(new JobChange(job.Id, job.Version, job.IsCancelRequested));
        return job;
    }

    /// <summary>Makes the next version of a job.</summary>
    public Job Change(Guid id, Func<Job, Job> change)
    {
        Job job;
        lock (_lock)
        {
            JobWithResult old = _jobs[id];
            job = change(old.Job) with { Version = old.Job.Version + 1 };
            _jobs[id] = old with { Job = job };
        }
        if (!IsAway) Watch.Changed(new JobChange(id, job.Version, job.IsCancelRequested));
        return job;
    }

    public Job Change(Guid id, JobState state) => Change(id, job => job with { State = state });

    public ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation) => new(Find(id)?.Job);

    public ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation)
    {
        JobWithResult? found = Find(id);
        return new(found is { Result: { } result } && result.Body.Length > maxBytes
            ? found with { Result = result with { Body = default }, UnreadBytes = result.Body.Length }
            : found);
    }

    public ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation)
    {
        Find(Guid.Empty);
        lock (_lock)
        {
            Job[] all = [.. _jobs.Values.Select(static j => j.Job)
                .Where(j => (query.Client is null || j.Client == query.Client) && (query.State is null || j.State == query.State)
                    && (query.Kind is null || j.Kind == query.Kind) && (query.Tag is null || j.Tags.Contains(query.Tag))
                    && (query.After is not { } after || After(j.Id, after)))
                .OrderByDescending(static j => j.Id.ToString("N"), StringComparer.Ordinal)];
            return new(new JobPage([.. all.Take(query.Limit)], all.Length > query.Limit));
        }

        static bool After(Guid id, Guid last) => string.CompareOrdinal(id.ToString("N"), last.ToString("N")) < 0;
    }

    public ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation) => Transition(id, static job => job.State switch
    {
        JobState.Queued => job with { State = JobState.Cancelled },
        JobState.Running => job with { IsCancelRequested = true },
        _ => null,
    });

    public ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation)
    {
        bool isSwept = Find(id)?.IsSwept == true;
        return Transition(id, job => job.State.IsFinal() && job.State != JobState.Succeeded && !isSwept ? job with { State = JobState.Queued } : null);
    }

    public Task OpenAsync(CancellationToken cancellation) => Task.CompletedTask;

    public ValueTask DisposeAsync() => default;

    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation) =>
        throw new NotSupportedException();

    public ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation) => throw new NotSupportedException();

    private JobWithResult? Find(Guid id)
    {
        if (IsAway) throw new JobStoreUnavailableException("the secret words for the operator");
        lock (_lock) return _jobs.GetValueOrDefault(id);
    }

    private ValueTask<JobTransition?> Transition(Guid id, Func<Job, Job?> change)
    {
        if (Find(id) is not { } old) return new((JobTransition?)null);
        Job? changed = change(old.Job);
        return new(new JobTransition(old.Job.State, changed is null ? old.Job : Change(id, _ => changed)));
    }
}
