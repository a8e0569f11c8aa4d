namespace PoolApi.Jobs;

/// <summary>How an attempt ended.</summary>
/// <param name="State">
/// The job's next state: a final one, or <see cref="JobState.Queued"/> to try again (<paramref name="RetryAfter"/>).
/// </param>
/// <param name="Result">The answer, if it has one: of a success always, of a failure where the work itself answered.</param>
/// <param name="Error">What went wrong.</param>
/// <param name="RetryAfter">How long until it may be tried again.</param>
internal sealed record JobEnd(JobState State, JobResult? Result = null, JobError? Error = null, TimeSpan RetryAfter = default);
