using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Tests;

/// <summary>Operations of a store without a limit of bytes, or of kinds.</summary>
internal static class JobStoreExtensions
{
    public static ValueTask<JobClaims> ClaimAsync(this IJobStore store, string owner, int max, TimeSpan lease, CancellationToken cancellation) =>
        store.ClaimAsync(owner, max, long.MaxValue, lease, KindFilter.All, cancellation);

    public static ValueTask<JobClaims> ClaimAsync(this IJobStore store, string owner, int max, long maxBytes, TimeSpan lease, CancellationToken cancellation) =>
        store.ClaimAsync(owner, max, maxBytes, lease, KindFilter.All, cancellation);

    public static ValueTask<JobWithResult?> GetResultAsync(this IJobStore store, Guid id, CancellationToken cancellation) =>
        store.GetResultAsync(id, long.MaxValue, cancellation);
}
