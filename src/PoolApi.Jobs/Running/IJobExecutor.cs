namespace PoolApi.Jobs.Running;

/// <summary>Runs the attempts of jobs. Only the executor interprets payloads.</summary>
internal interface IJobExecutor
{
    /// <summary>Runs one attempt on the pool, to its end.</summary>
    /// <param name="attempt">The attempt. The executor calls <see cref="JobAttempt.Started"/> when a worker has taken it.</param>
    /// <param name="cancellation">Cancelled when the attempt has to stop, queued or running.</param>
    /// <returns>
    /// How the attempt ended. An exception counts as <see cref="AttemptEnd.Failed"/>, or as <see cref="AttemptEnd.NotBegun"/> if no worker had taken
    /// it. If it is an <see cref="OutOfMemoryException"/> in the second case, the job is handed back.
    /// </returns>
    ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation);
}

/// <summary>The end of an attempt, as the executor reports it.</summary>
/// <param name="Outcome">The outcome.</param>
/// <param name="Result">The result of the work; <see langword="null"/>: it returned none.</param>
/// <param name="Error">The error; <see langword="null"/>: there was none.</param>
/// <param name="MayRetry">Whether another attempt may succeed.</param>
internal sealed record AttemptEnd(AttemptOutcome Outcome, JobResult? Result, JobError? Error, bool MayRetry)
{
    /// <summary>
    /// Completes when the work's code has returned. That is later than the attempt's end if the attempt exceeded its run time. Until then the
    /// job's body counts against the memory budget. The task must not fail. Default: a completed task.
    /// </summary>
    public Task CodeEnds { get; init; } = Task.CompletedTask;

    /// <summary>The attempt did not run to its end: it was cancelled, or the pool refused it or stopped.</summary>
    public static AttemptEnd Stopped { get; } = new(AttemptOutcome.Stopped, null, null, MayRetry: true);

    /// <summary>The work threw an exception, which is in the log.</summary>
    public static AttemptEnd Failed { get; } = new(
        AttemptOutcome.Failed, null, new JobError("work-failed", "The work failed. The details are in the log, under the id of the job."), MayRetry: true);

    /// <summary>An exception was thrown before a worker began the work. It is in the log.</summary>
    public static AttemptEnd NotBegun { get; } = new(
        AttemptOutcome.Failed,
        null,
        new JobError("internal-error", "The attempt failed before its work began. The details are in the log, under the id of the job."),
        MayRetry: true);
}

/// <summary>The outcome of an attempt.</summary>
internal enum AttemptOutcome
{
    /// <summary>The work succeeded.</summary>
    Succeeded,

    /// <summary>The work threw an exception or returned a failure.</summary>
    Failed,

    /// <summary>The work did not run, or not to its end.</summary>
    Stopped,
}
