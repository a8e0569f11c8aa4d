namespace PoolApi.Jobs.Running;

/// <summary>Runs attempts of jobs. It alone knows what a payload means.</summary>
internal interface IJobExecutor
{
    /// <summary>Runs one attempt on the pool, to its end.</summary>
    /// <param name="run">The attempt. Tell it when it has a worker (<see cref="JobRun.Started"/>).</param>
    /// <param name="cancellation">
    /// Cancelled when the attempt should stop, whether it waits or runs; why is the caller's business.
    /// </param>
    /// <returns>
    /// How it ended. An exception counts as <see cref="JobAttempt.Failed"/>, or as <see cref="JobAttempt.NotBegun"/> if no worker had it. If
    /// that was for want of memory, the job is handed back.
    /// </returns>
    ValueTask<JobAttempt> ExecuteAsync(JobRun run, CancellationToken cancellation);
}

/// <summary>How an attempt went.</summary>
/// <param name="Outcome">In a word.</param>
/// <param name="Result">The answer of the work, if it came to one.</param>
/// <param name="Error">What went wrong, if something did.</param>
/// <param name="MayRetry">Whether to run it once more might help.</param>
internal sealed record JobAttempt(AttemptOutcome Outcome, JobResult? Result, JobError? Error, bool MayRetry)
{
    /// <summary>
    /// Completes when no code of the work runs any more: later than the attempt has ended, if that ran for longer than it may. Until then the
    /// job's body counts among the bytes in hand. Must not fail. Default: completed.
    /// </summary>
    public Task CodeEnds { get; init; } = Task.CompletedTask;

    /// <summary>It did not run to its end: it was cancelled, or the pool did not take it or stopped.</summary>
    public static JobAttempt Stopped { get; } = new(AttemptOutcome.Stopped, null, null, MayRetry: true);

    /// <summary>The work threw. What it threw is in the log.</summary>
    public static JobAttempt Failed { get; } = new(
        AttemptOutcome.Failed, null, new JobError("work-failed", "The work failed. The details are in the log, under the id of the job."), MayRetry: true);

    /// <summary>Something threw before a worker had begun with the work. What it was is in the log.</summary>
    public static JobAttempt NotBegun { get; } = new(
        AttemptOutcome.Failed,
        null,
        new JobError("internal-error", "The attempt failed before its work began. The details are in the log, under the id of the job."),
        MayRetry: true);
}

/// <summary>How an attempt went, in a word.</summary>
internal enum AttemptOutcome
{
    /// <summary>The work answered, and well.</summary>
    Succeeded,

    /// <summary>The work threw, or answered that it could not be done.</summary>
    Failed,

    /// <summary>It did not run, or not to its end.</summary>
    Stopped,
}
