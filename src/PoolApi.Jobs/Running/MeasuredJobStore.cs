using System.Diagnostics;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Running;

/// <summary>A store that measures what each operation of another takes: <c>poolapi.store.operation.duration</c>. Owns the other.</summary>
/// <param name="store">The other.</param>
/// <param name="instruments">Where the measurements go.</param>
internal sealed class MeasuredJobStore(IJobStore store, JobInstruments instruments) : IJobStore
{
    /// <summary>The names of all operations that are measured.</summary>
    internal static readonly string[] Operations =
    [
        "accept", "claim", "body", "finish", "hand_back", "renew", "progress", "get", "find_changed",
        "result", "list", "cancel", "retry", "maintain", "count", "check",
    ];

    /// <inheritdoc/>
    public IJobStoreListener? Listener
    {
        get => store.Listener;
        set => store.Listener = value;
    }

    /// <inheritdoc/>
    public bool IsShared => store.IsShared;

    /// <inheritdoc/>
    public bool TellsOfOthers => store.TellsOfOthers;

    /// <inheritdoc/>
    public string Place => store.Place;

    /// <inheritdoc/>
    public Task OpenAsync(CancellationToken cancellation) => store.OpenAsync(cancellation);

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation) =>
        Measured("accept", Now, store.AcceptAsync(job, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation) =>
        Measured("accept", Now, store.AcceptAndClaimAsync(job, owner, lease, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation) =>
        Measured("claim", Now, store.ClaimAsync(owner, max, maxBytes, lease, kinds, cancellation));

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation) =>
        Measured("body", Now, store.ReadBodyAsync(claim, cancellation));

    /// <inheritdoc/>
    public ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation) =>
        Measured("finish", Now, store.FinishAsync(claim, ending, cancellation));

    /// <inheritdoc/>
    public ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation) =>
        Measured("hand_back", Now, store.HandBackAsync(claims, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation) =>
        Measured("renew", Now, store.RenewAsync(claims, lease, cancellation));

    /// <inheritdoc/>
    public ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation) =>
        Measured("progress", Now, store.ReportProgressAsync(claim, progress, cancellation));

    /// <inheritdoc/>
    public ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation) => Measured("get", Now, store.GetAsync(id, cancellation));

    /// <inheritdoc/>
    public ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation) =>
        Measured("payload", Now, store.GetPayloadAsync(id, maxBytes, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation) =>
        Measured("find_key", Now, store.FindByKeyAsync(key, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<int>> FindChangedAsync(IReadOnlyList<KnownVersion> known, CancellationToken cancellation) =>
        Measured("find_changed", Now, store.FindChangedAsync(known, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation) =>
        Measured("result", Now, store.GetResultAsync(id, maxBytes, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation) => Measured("list", Now, store.ListAsync(query, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation) => Measured("cancel", Now, store.CancelAsync(id, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation) => Measured("retry", Now, store.RetryAsync(id, cancellation));

    /// <inheritdoc/>
    public ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation) =>
        Measured("maintain", Now, store.MaintainAsync(rules, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation) =>
        Measured("count", Now, store.CountAsync(cancellation));

    /// <inheritdoc/>
    public ValueTask CheckAsync(CancellationToken cancellation) => Measured("check", Now, store.CheckAsync(cancellation));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => store.DisposeAsync();

    /// <summary>Read before the operation is called: part of it may be done by then.</summary>
    private static long Now => Stopwatch.GetTimestamp();

    private async ValueTask<T> Measured<T>(string operation, long since, ValueTask<T> under)
    {
        Exception? error = null;
        try
        {
            return await under;
        }
        catch (Exception e)
        {
            error = e;
            throw;
        }
        finally
        {
            instruments.Operation(operation, since, error);
        }
    }

    private async ValueTask Measured(string operation, long since, ValueTask under)
    {
        Exception? error = null;
        try
        {
            await under;
        }
        catch (Exception e)
        {
            error = e;
            throw;
        }
        finally
        {
            instruments.Operation(operation, since, error);
        }
    }
}
