namespace PoolApi.Jobs;

/// <summary>The state of a job.</summary>
/// <remarks>
/// <code>
///                  ┌─ handed back · failed and may be tried again · its instance died ─┐
///                  ▼                                                                   │
///   accepted ─► Queued ─────────────────────── claimed ──────────────────────────► Running
///                  │                                                                   ▼
///                  └─ cancelled or expired before it ran ─► Cancelled · Expired · Succeeded · Failed ──(:retry)──► Queued
/// </code>
/// Each arrow is one transaction of the store and increments the job's version.
/// </remarks>
public enum JobState
{
    /// <summary>The job waits for a worker or for its time (<see cref="Job.RunAt"/>).</summary>
    Queued,

    /// <summary>An instance has claimed the job and holds a lease on it.</summary>
    Running,

    /// <summary>The job has run and has a result.</summary>
    Succeeded,

    /// <summary>The job has failed and is not tried again automatically.</summary>
    Failed,

    /// <summary>The job was cancelled on request.</summary>
    Cancelled,

    /// <summary>The job did not end before its deadline.</summary>
    Expired,
}

/// <summary>Converts states to words and back.</summary>
internal static class JobStates
{
    /// <summary>All states, in their order.</summary>
    public static IReadOnlyList<JobState> All { get; } =
        [JobState.Queued, JobState.Running, JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.Expired];

    /// <summary>Whether the state is final. Only a retry leaves it.</summary>
    public static bool IsFinal(this JobState state) => state >= JobState.Succeeded;

    /// <summary>The lower-case word for the state in JSON, settings and metrics.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a state.</exception>
    public static string ToWord(this JobState state) => state switch
    {
        JobState.Queued => "queued",
        JobState.Running => "running",
        JobState.Succeeded => "succeeded",
        JobState.Failed => "failed",
        JobState.Cancelled => "cancelled",
        JobState.Expired => "expired",
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };

    /// <summary>Parses the word for a state.</summary>
    /// <returns><see langword="null"/> if it is no such word.</returns>
    public static JobState? Parse(string? word)
    {
        foreach (JobState state in All)
        {
            if (string.Equals(state.ToWord(), word, StringComparison.Ordinal)) return state;
        }
        return null;
    }
}
