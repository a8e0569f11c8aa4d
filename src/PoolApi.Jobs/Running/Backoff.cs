namespace PoolApi.Jobs.Running;

/// <summary>The pause before a job is tried again: exponential, with jitter, so that jobs that failed together are not retried together.</summary>
/// <remarks>"Equal jitter" of Marc Brooker's "Exponential Backoff and Jitter" (AWS, 2015): a pause is at least half as long as without jitter.</remarks>
internal static class Backoff
{
    /// <param name="first">The pause before the second attempt, without jitter.</param>
    /// <param name="attempt">The attempt that has failed, from 1.</param>
    /// <param name="random">A random number from 0 to 1.</param>
    public static TimeSpan After(TimeSpan first, int attempt, double random)
    {
        double whole = Math.Min(first.TotalSeconds * Math.Pow(2, Math.Min(attempt - 1, 40)), JobRanges.RetryDelay.Max.TotalSeconds);
        return TimeSpan.FromSeconds(whole * (0.5 + (random / 2)));
    }
}
