namespace PoolApi.Jobs;

/// <summary>Where a job is.</summary>
/// <remarks>
/// <code>
///              ┌──── handed back · failed and may be tried again · its instance died ────┐
///              ▼                                                                          │
///   accepted ─► Queued ──claimed──► Running ──► Succeeded · Failed · Cancelled · Expired ─┴─(:retry)─► Queued
///                 └──► Cancelled · Expired (never run)
/// </code>
/// Each arrow is one transaction of the store; each makes the job's version grow.
/// </remarks>
public enum JobState
{
    /// <summary>It waits: for a worker, or for its time (<see cref="Job.RunAt"/>).</summary>
    Queued,

    /// <summary>An instance has it, under a lease.</summary>
    Running,

    /// <summary>It ran and has a result.</summary>
    Succeeded,

    /// <summary>It ran, failed, and is not tried again by itself.</summary>
    Failed,

    /// <summary>Somebody cancelled it.</summary>
    Cancelled,

    /// <summary>It did not end before its deadline.</summary>
    Expired,
}

/// <summary>The states as words.</summary>
internal static class JobStates
{
    /// <summary>All states, in their order.</summary>
    public static IReadOnlyList<JobState> All { get; } =
        [JobState.Queued, JobState.Running, JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.Expired];

    /// <summary>Whether a job in this state stays there, unless somebody retries it.</summary>
    public static bool IsFinal(this JobState state) => state >= JobState.Succeeded;

    /// <summary>The word for it in JSON, settings and metrics: lower case.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is no state.</exception>
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

    /// <summary>The state that a word stands for.</summary>
    /// <returns><see langword="null"/> if it stands for none.</returns>
    public static JobState? Parse(string? word)
    {
        foreach (JobState state in All)
        {
            if (string.Equals(state.ToWord(), word, StringComparison.Ordinal)) return state;
        }
        return null;
    }
}
