using System.Diagnostics;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Running;

/// <summary>Wraps a store, and measures the duration of each operation: <c>poolapi.store.operation.duration</c>. Disposes of the wrapped store.</summary>
/// <param name="store">The wrapped store.</param>
/// <param name="instruments">Receives the measurements.</param>
internal sealed class MeasuredJobStore(IJobStore store, JobInstruments instruments) : IJobStore
{
    /// <inheritdoc/>
    public IJobStoreListener? Listener
    {
        get => store.Listener;
        set => store.Listener = value;
    }

    /// <inheritdoc/>
    public bool IsShared => store.IsShared;

    /// <inheritdoc/>
    public bool ReportsRemoteChanges => store.ReportsRemoteChanges;

    /// <inheritdoc/>
    public string Location => store.Location;

    /// <inheritdoc/>
    public Task OpenAsync(CancellationToken cancellation) => store.OpenAsync(cancellation);

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation) =>
        Measured(StoreOperation.Accept, Now, store.AcceptAsync(job, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation) =>
        Measured(StoreOperation.Accept, Now, store.AcceptAndClaimAsync(job, owner, lease, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation) =>
        Measured(StoreOperation.Claim, Now, store.ClaimAsync(owner, max, maxBytes, lease, kinds, cancellation));

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation) =>
        Measured(StoreOperation.Body, Now, store.ReadBodyAsync(claim, cancellation));

    /// <inheritdoc/>
    public ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation) =>
        Measured(StoreOperation.Finish, Now, store.FinishAsync(claim, ending, cancellation));

    /// <inheritdoc/>
    public ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation) =>
        Measured(StoreOperation.HandBack, Now, store.HandBackAsync(claims, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation) =>
        Measured(StoreOperation.Renew, Now, store.RenewAsync(claims, lease, cancellation));

    /// <inheritdoc/>
    public ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation) =>
        Measured(StoreOperation.Progress, Now, store.ReportProgressAsync(claim, progress, cancellation));

    /// <inheritdoc/>
    public ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation) => Measured(StoreOperation.Get, Now, store.GetAsync(id, cancellation));

    /// <inheritdoc/>
    public ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation) =>
        Measured(StoreOperation.Payload, Now, store.GetPayloadAsync(id, maxBytes, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation) =>
        Measured(StoreOperation.FindKey, Now, store.FindByKeyAsync(key, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<int>> FindChangedAsync(IReadOnlyList<KnownVersion> known, CancellationToken cancellation) =>
        Measured(StoreOperation.FindChanged, Now, store.FindChangedAsync(known, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation) =>
        Measured(StoreOperation.Result, Now, store.GetResultAsync(id, maxBytes, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation) => Measured(StoreOperation.List, Now, store.ListAsync(query, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation) => Measured(StoreOperation.Cancel, Now, store.CancelAsync(id, cancellation));

    /// <inheritdoc/>
    public ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation) => Measured(StoreOperation.Retry, Now, store.RetryAsync(id, cancellation));

    /// <inheritdoc/>
    public ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation) =>
        Measured(StoreOperation.Maintain, Now, store.MaintainAsync(rules, cancellation));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation) =>
        Measured(StoreOperation.Count, Now, store.CountAsync(cancellation));

    /// <inheritdoc/>
    public ValueTask CheckAsync(CancellationToken cancellation) => Measured(StoreOperation.Check, Now, store.CheckAsync(cancellation));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => store.DisposeAsync();

    /// <summary>The time before the operation is called: C# evaluates arguments in order. So the duration includes the operation's synchronous part.</summary>
    private static long Now => Stopwatch.GetTimestamp();

    private async ValueTask<T> Measured<T>(StoreOperation operation, long since, ValueTask<T> under)
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

    private async ValueTask Measured(StoreOperation operation, long since, ValueTask under)
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
