namespace PoolApi.Jobs;

/// <summary>The end of an attempt, as it is written to the store.</summary>
/// <param name="State">
/// The job's next state: a final one, or <see cref="JobState.Queued"/> if it is to be tried again.
/// </param>
/// <param name="Result">The result. A success always has one, a failure only if the work itself returned it.</param>
/// <param name="Error">The error; <see langword="null"/> for a success.</param>
/// <param name="RetryAfter">The pause before the next attempt.</param>
internal sealed record JobEnd(JobState State, JobResult? Result = null, JobError? Error = null, TimeSpan RetryAfter = default);
