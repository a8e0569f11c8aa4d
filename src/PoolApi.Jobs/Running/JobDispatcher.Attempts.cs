using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <content>Running: one attempt, from the reading of its body to the writing of its end.</content>
internal sealed partial class JobDispatcher
{
    private int _unwritten; // attempts whose end the stop could not write

    /// <summary>
    /// Counts the attempts whose end is not in the store. Call it after <see cref="StopAsync"/> and after the store is closed, when nothing more
    /// can be written.
    /// </summary>
    /// <param name="cancellation">Ends the wait for ends that are still being written. They count as unwritten.</param>
    public async Task<int> CountUnwrittenAsync(CancellationToken cancellation)
    {
        await AttemptsEndAsync().WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return Volatile.Read(ref _unwritten) + _attempts.Keys.Count(static attempt => attempt.HasStarted);
    }

    /// <summary>Completes when the attempts of this moment have ended.</summary>
    private Task AttemptsEndAsync() => Task.WhenAll(_attempts.Keys.Select(static attempt => attempt.Completion));

    /// <summary>Completes when the end of each attempt is written whose work has ended or has not begun.</summary>
    private async Task LastWritesEndAsync()
    {
        // Repeats, since further attempts may end meanwhile. An attempt whose end is written is no longer listed.
        while (_attempts.Keys.Where(static attempt => attempt.IsEnding || !attempt.HasStarted).Select(static attempt => attempt.Completion).ToArray() is { Length: > 0 } last)
            await Task.WhenAll(last);
    }

    private async Task RunAsync(JobAttempt attempt, bool goesFirst)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        AttemptEnd ended;
        try
        {
            ended = await ReadBodyAsync(attempt, goesFirst) ? await _executor.ExecuteAsync(attempt, attempt.Stopping) : AttemptEnd.Stopped;
        }
        catch (OperationCanceledException) when (attempt.Why != StopReason.None)
        {
            ended = AttemptEnd.Stopped;
        }
        catch (Exception e)
        {
            LogFailed(attempt.Claim.Job.Id, attempt.Claim.Job.Kind, e);
            // Out of memory before the work began: the job is handed back, since memory is free again when other attempts have ended.
            ended = attempt.HasStarted ? AttemptEnd.Failed : e is OutOfMemoryException ? AttemptEnd.Stopped : AttemptEnd.NotBegun;
        }
        attempt.IsEnding = true;
        // Read once: the code may return at any moment, and what it leaves behind must be released by the same decision.
        bool codeRuns = !ended.CodeEnds.IsCompleted;
        long leftBehind = codeRuns ? attempt.Held : 0;
        _bytesInHand.Take(leftBehind);
        // From here on only the result is needed.
        attempt.Claim = attempt.Claim.WithoutBody();
        SetHeldBytes(attempt, ended.Result?.Body.Length ?? 0);
        // Read now: a request to stop that comes while the end is written is too late.
        var (why, isLate) = (attempt.Why, attempt.IsLate);
        bool isPrompt = false;
        if (!attempt.HasStarted)
        {
            if (why == StopReason.NoWorker) Volatile.Write(ref _noWorkerAt, _time.GetTimestamp());
            // The pool refused the attempt. The pause delays the next submission.
            if (ended.Outcome == AttemptOutcome.Stopped)
            {
                isPrompt = attempt is { Priority: WorkPriority.Normal, Why: StopReason.None };
                await Task.Delay(RetryPause.First, _time, attempt.Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            Interlocked.Decrement(ref _waiting);
        }
        else
        {
            if (codeRuns) _ = LeaveWorkerAsync(ended.CodeEnds, leftBehind, goesFirst); // not awaited: it cannot fail, and the job's end must not wait for it
            else LeaveWorker(goesFirst);
        }
        _due.Set(); // a worker may be free before the end is written
        try
        {
            await attempt.SettleAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            JobEnd? end = EndOf(attempt, ended, why, isLate);
            // A job whose lease was lost cannot be handed back.
            if (end is not null || why != StopReason.LeaseLost) await EndAsync(attempt, end);
            if (isPrompt && end is null) RequestPromptClaim(); // now that it is queued: an earlier claim would not find it, and would drop the request
        }
        catch (Exception e)
        {
            // Another try would fail in the same way. The lease runs out, and the job is run again or fails as poison.
            LogNotWritten(attempt.Claim.Job.Id, e);
            if (_closed.IsCancellationRequested) Interlocked.Increment(ref _unwritten);
        }
        finally
        {
            if (attempt.Held > 0)
            {
                SetHeldBytes(attempt, 0);
                _due.Set(); // a queued job may wait for these bytes
            }
            _attempts.TryRemove(attempt, out _); // an attempt that is not listed holds no bytes and wakes no flow any more
            attempt.Dispose();
        }
    }

    private void LeaveWorker(bool goesFirst)
    {
        Interlocked.Decrement(ref _holding);
        if (goesFirst) _share.Ended();
    }

    /// <summary>Releases the worker and the body of an attempt that timed out, when its code has returned.</summary>
    private async Task LeaveWorkerAsync(Task codeEnds, long bytes, bool goesFirst)
    {
        await codeEnds.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        LeaveWorker(goesFirst);
        _bytesInHand.Return(bytes);
        _due.Set();
    }

    /// <summary>
    /// Reads the body of a job that was claimed without it. Maintenance renews the lease meanwhile. If the body cannot be read, the job is
    /// handed back, and this does not count as an attempt.
    /// </summary>
    /// <returns>Whether the body was read.</returns>
    private async ValueTask<bool> ReadBodyAsync(JobAttempt attempt, bool goesFirst)
    {
        if (attempt.Claim.UnreadBytes == 0) return true;
        try
        {
            if (await _store.ReadBodyAsync(attempt.Claim, attempt.Stopping) is not { } body) return false;
            attempt.Claim = attempt.Claim with { Payload = attempt.Claim.Payload.WithBody(body), UnreadBytes = 0 };
            StoreWorks();
        }
        catch (JobStoreUnavailableException e)
        {
            StoreFails(e);
            return false;
        }
        if (goesFirst && _store.IsShared) attempt.StopUnlessStartedIn(LongestWait, _time);
        return true;
    }

    /// <summary>Changes the number of bytes that an attempt holds of the budget.</summary>
    private void SetHeldBytes(JobAttempt attempt, long bytes)
    {
        _bytesInHand.Take(bytes - attempt.Held);
        attempt.Held = bytes;
    }

    /// <summary>Writes the end of an attempt. Retries while the store is away, because finished work must not run again.</summary>
    /// <remarks>
    /// Only the result of this write shows whether the lease was lost. A renewal does not: a job whose end was written, but whose response was
    /// lost, has no lease either.
    /// </remarks>
    /// <param name="attempt">The attempt.</param>
    /// <param name="end">The end; <see langword="null"/>: the job is handed back.</param>
    private async Task EndAsync(JobAttempt attempt, JobEnd? end)
    {
        RetryPause pause = default;
        while (true)
        {
            try
            {
                if (end is null) await _store.HandBackAsync([attempt.Claim], CancellationToken.None);
                else if (!await _store.FinishAsync(attempt.Claim, end, CancellationToken.None)) LogLost(attempt.Claim.Job.Id);
                else if (end.State == JobState.Queued) _instruments.Retried(attempt.Claim.Job.Kind);
                else _instruments.Finished(attempt.Claim.Job.Kind, end.State);
                StoreWorks();
                return;
            }
            catch (JobStoreUnavailableException e)
            {
                StoreFails(e);
            }
            if (_stopped.IsCancellationRequested)
            {
                if (end is null) return; // no result is lost; the job runs again after its lease, and the attempt counts as lost
                Interlocked.Increment(ref _unwritten);
                LogLeftUnwritten(attempt.Claim.Job.Id);
                return;
            }
            await Task.Delay(pause.Next(), _time, _stopped.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Decides the job's next state from the end of an attempt.</summary>
    /// <returns>The end to write; <see langword="null"/>: the job is handed back.</returns>
    private JobEnd? EndOf(JobAttempt attempt, AttemptEnd ended, StopReason why, bool isLate)
    {
        Job job = attempt.Claim.Job;
        switch (ended.Outcome)
        {
            // Work that ignores its token may complete after the deadline. The documented rule is that there is no result then.
            case AttemptOutcome.Succeeded when isLate:
                return new JobEnd(JobState.Expired, null, JobError.Expired);
            case AttemptOutcome.Succeeded:
                return new JobEnd(JobState.Succeeded, ended.Result);
            case AttemptOutcome.Failed when why == StopReason.Deadline:
                return new JobEnd(JobState.Expired, null, ended.Error ?? JobError.Expired);
            case AttemptOutcome.Failed when ended.MayRetry && job.Attempt < job.MaxAttempts && why != StopReason.Cancelled:
                return new JobEnd(
                    JobState.Queued, null, ended.Error, Backoff.After(_options.RetryDelay, job.Attempt, Random.Shared.NextDouble()));
            case AttemptOutcome.Failed:
                return new JobEnd(JobState.Failed, ended.Result, ended.Error);
            default:
                return why switch
                {
                    StopReason.Cancelled => new JobEnd(JobState.Cancelled),
                    StopReason.Deadline => new JobEnd(JobState.Expired, null, JobError.Expired),
                    _ => null, // the pool stops or has refused it
                };
        }
    }

    [LoggerMessage(30, LogLevel.Error, "The job store cannot be used: {fault}")]
    private partial void LogStoreFails(string fault, Exception? exception);

    [LoggerMessage(31, LogLevel.Information, "The job store can be used again")]
    private partial void LogStoreWorks();

    [LoggerMessage(32, LogLevel.Warning, "{redelivered} jobs were queued again because their leases had run out; {poisoned} jobs failed as poison")]
    private partial void LogRedelivered(int redelivered, int poisoned);

    [LoggerMessage(33, LogLevel.Error, "Job {id} ({kind}) failed")]
    private partial void LogFailed(Guid id, string kind, Exception exception);

    [LoggerMessage(34, LogLevel.Warning, "The end of job {id} was not written: its lease was lost, and the store has queued the job again or ended it")]
    private partial void LogLost(Guid id);

    [LoggerMessage(35, LogLevel.Error, "The end of job {id} could not be written: the job runs again when its lease has run out")]
    private partial void LogNotWritten(Guid id, Exception exception);

    [LoggerMessage(36, LogLevel.Error, "The end of job {id} could not be written before the stop: the job runs again when its lease has run out")]
    private partial void LogLeftUnwritten(Guid id);
}
