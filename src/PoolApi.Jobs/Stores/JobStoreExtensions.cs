namespace PoolApi.Jobs.Stores;

/// <summary>Operations of a store without a limit of bytes.</summary>
public static class JobStoreExtensions
{
    /// <summary>Claims jobs, however large their bodies are.</summary>
    public static ValueTask<JobClaims> ClaimAsync(this IJobStore store, string owner, int max, TimeSpan lease, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(store);
        return store.ClaimAsync(owner, max, long.MaxValue, lease, cancellation);
    }

    /// <summary>The job and its result, however large that is.</summary>
    public static ValueTask<JobWithResult?> GetResultAsync(this IJobStore store, Guid id, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(store);
        return store.GetResultAsync(id, long.MaxValue, cancellation);
    }
}
