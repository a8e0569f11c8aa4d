using System.Diagnostics;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Hosting;

/// <summary>How many jobs are in each state, for metrics. Metrics are read synchronously and the store is not, so the counts are cached.</summary>
internal sealed class JobCounts(IJobStore store)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private volatile IReadOnlyDictionary<JobState, long> _known = JobStates.All.ToDictionary(static s => s, static _ => 0L);
    private long _askedAt; // a timestamp
    private Task _refreshing = Task.CompletedTask;

    /// <summary>
    /// The counts of the last <see cref="RefreshAsync"/>. If they are older than five seconds, because the collector does not use an endpoint
    /// that refreshes them, reading them starts a refresh for the next reader.
    /// </summary>
    public IReadOnlyDictionary<JobState, long> Known
    {
        get
        {
            lock (_lock)
            {
                if (_refreshing.IsCompleted && Stopwatch.GetElapsedTime(Volatile.Read(ref _askedAt)) > Fresh)
                    _refreshing = RefreshAsync(CancellationToken.None);
            }
            return _known;
        }
    }

    /// <summary>Asks the store, for a second at most. Before the metrics are collected. Does not fail.</summary>
    public async Task RefreshAsync(CancellationToken cancellation)
    {
        Volatile.Write(ref _askedAt, Stopwatch.GetTimestamp());
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        late.CancelAfter(Patience);
        try
        {
            _known = await store.CountAsync(late.Token).AsTask().WaitAsync(late.Token);
        }
        catch (Exception e) when (e is JobStoreException or OperationCanceledException)
        {
            // The last known counts stay.
        }
    }
}
