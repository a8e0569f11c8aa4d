using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <content>
/// Accepting: claims a job in the transaction that accepts it, if a worker is free and no other job waits. That saves a transaction and the
/// wake-up of the claiming flow.
/// </content>
internal sealed partial class JobDispatcher
{
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _accepting; // acceptances under way that may return a claim

    /// <summary>
    /// Accepts a job. If a worker is free and no other job is known to wait, the same transaction claims it, and its attempt begins before this
    /// method returns.
    /// </summary>
    /// <param name="job">The job. Its body must not change while the attempt runs.</param>
    /// <param name="isWaitedFor">Whether the client waits for the result. If so, this calls <see cref="RequestPromptClaim"/> when the job was not claimed.</param>
    /// <param name="cancellation">Cancels the wait for the store.</param>
    /// <exception cref="JobStoreUnavailableException">See <see cref="IJobStore.AcceptAsync"/>.</exception>
    public async ValueTask<JobAcceptance> AcceptAsync(NewJob job, bool isWaitedFor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(job);
        JobAcceptance acceptance = job.RunAt is null && TryReserve(job.Payload.Body.Length)
            ? await AcceptReservedAsync(job, isWaitedFor, cancellation)
            : await _store.AcceptAsync(job, cancellation);
        if (acceptance.Outcome != AcceptOutcome.Created) return acceptance;
        // Counted here, because the caller may have stopped waiting.
        _instruments.Accepted(job.Kind);
        if (isWaitedFor && acceptance.Claim is null) RequestPromptClaim();
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
                // The attempt must not inherit the execution context of its client's request.
                using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
                Begin(claim, isWaitedFor ? WorkPriority.Normal : WorkPriority.Low, goesFirst: false);
            }
            return acceptance;
        }
        finally
        {
            _pendingCancellations.ClaimEnded();
            _bytesInHand.Return(job.Payload.Body.Length); // the attempt has taken its own bytes
            Release(); // and its own worker
        }
    }

    /// <summary>Reserves a free worker for a job that is being accepted, unless another job waits for one.</summary>
    /// <remarks>
    /// This method counts itself and then reads whether a claim is under way. <see cref="ClaimOnceAsync"/> sets that flag and then reads the
    /// count. So at least one of the two sees the other, and no worker is reserved twice. <see cref="Close"/> and <see cref="StopAsync"/> pair
    /// with this method in the same way.
    /// </remarks>
    private bool TryReserve(long bytes)
    {
        if (IsTaken() || !_bytesInHand.TryTake(bytes)) return false;
        Interlocked.Increment(ref _accepting);
        Interlocked.Increment(ref _waiting); // a full fence
        if (!IsTaken() && Room() >= 0) return true; // Room counts this reservation
        _bytesInHand.Return(bytes);
        Release();
        return false;

        bool IsTaken() => _isClaiming || _dueJobs.MayBeDue || Volatile.Read(ref _promptClaims) > 0 || _closed.IsCancellationRequested;
    }

    private void Release()
    {
        Interlocked.Decrement(ref _waiting);
        // The reservation may have kept the claiming flow, or the claim under way, from a worker or from bytes. The flag is read first: the claim reports
        // what it left before it resets the flag.
        if (_isClaiming || _dueJobs.MayBeDue) _due.Set();
        if (Interlocked.Decrement(ref _accepting) == 0 && _closed.IsCancellationRequested) _accepted.TrySetResult();
    }

    /// <summary>Completes when no acceptance is under way that could still begin an attempt. Called after <see cref="Close"/>, which prevents new ones.</summary>
    private Task AcceptancesEndAsync() => Volatile.Read(ref _accepting) == 0 ? Task.CompletedTask : _accepted.Task;
}
