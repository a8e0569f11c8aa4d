using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Tests;

/// <summary>Operations of a store without a limit of bytes.</summary>
internal static class JobStoreExtensions
{
    public static ValueTask<JobClaims> ClaimAsync(this IJobStore store, string owner, int max, TimeSpan lease, CancellationToken cancellation) =>
        store.ClaimAsync(owner, max, long.MaxValue, lease, cancellation);

    public static ValueTask<JobWithResult?> GetResultAsync(this IJobStore store, Guid id, CancellationToken cancellation) =>
        store.GetResultAsync(id, long.MaxValue, cancellation);
}
