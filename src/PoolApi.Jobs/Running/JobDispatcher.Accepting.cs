using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <content>
/// Jobs that are claimed as they are accepted: while this instance has nothing else to do, one transaction instead of two, and
/// nobody who has to look.
/// </content>
internal sealed partial class JobDispatcher
{
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _accepting; // acceptances under way that may bring a claim

    /// <summary>
    /// Accepts a job. While a worker is free for it and no other job is known to wait, it is claimed in the same transaction, and
    /// its attempt begins before this returns: it need not be looked for first.
    /// </summary>
    /// <param name="job">The job. Its body must stay as it is while the attempt runs.</param>
    /// <param name="isWaitedFor">Its client waits for it as for any request: see <see cref="RequestPromptClaim"/>, which this does.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="JobStoreUnavailableException">As <see cref="IJobStore.AcceptAsync"/>.</exception>
    public async ValueTask<JobAcceptance> AcceptAsync(NewJob job, bool isWaitedFor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(job);
        JobAcceptance acceptance = job.RunAt is null && TryReserve(job.Payload.Body.Length)
            ? await AcceptReservedAsync(job, isWaitedFor, cancellation)
            : await _store.AcceptAsync(job, cancellation);
        if (isWaitedFor && acceptance is { Outcome: AcceptOutcome.Created, Claim: null }) RequestPromptClaim();
        return acceptance;
    }

    private async Task<JobAcceptance> AcceptReservedAsync(NewJob job, bool isWaitedFor, CancellationToken cancellation)
    {
        _pendingCancellations.ClaimBegins();
        try
        {
            JobAcceptance acceptance = await _store.AcceptAndClaimAsync(job, Owner, LeaseTime, cancellation);
            if (acceptance.Claim is { } claim)
            {
                // Its attempt is no part of what its client's request does.
                using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
                Begin(claim, isWaitedFor ? WorkPriority.Normal : WorkPriority.Low, first: false);
            }
            return acceptance;
        }
        finally
        {
            _pendingCancellations.ClaimEnded();
            _bytes.Return(job.Payload.Body.Length); // the attempt has taken its own
            Release(); // and has a place of its own
        }
    }

    /// <summary>Keeps a worker for a job that is on its way into the store, if there is one and nobody else waits for it.</summary>
    /// <remarks>
    /// Counted first and looked afterwards, where <see cref="ClaimOnceAsync"/> says first that it looks and counts afterwards: of the
    /// two, one sees the other, and no worker is kept twice. The same with <see cref="Close"/> and <see cref="StopAsync"/>.
    /// </remarks>
    private bool TryReserve(long bytes)
    {
        if (IsTaken() || !_bytes.TryTake(bytes)) return false;
        Interlocked.Increment(ref _accepting);
        Interlocked.Increment(ref _waiting); // a full fence
        if (!IsTaken() && Room() >= 0) return true; // this one is counted in
        _bytes.Return(bytes);
        Release();
        return false;

        bool IsTaken() => _isLooking || _queue.IsSuspected || Volatile.Read(ref _promptClaims) > 0 || _closed.IsCancellationRequested;
    }

    private void Release()
    {
        Interlocked.Decrement(ref _waiting);
        if (_queue.IsSuspected) _due.Set(); // this may have kept another from its worker
        if (Interlocked.Decrement(ref _accepting) == 0 && _closed.IsCancellationRequested) _accepted.TrySetResult();
    }

    /// <summary>Completes when no acceptance is under way that could still begin an attempt. After <see cref="Close"/>: it lets none begin.</summary>
    private Task AcceptancesEndAsync() => Volatile.Read(ref _accepting) == 0 ? Task.CompletedTask : _accepted.Task;
}
