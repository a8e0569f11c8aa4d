using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;

namespace PoolApi.Auth;

/// <summary>How many requests for work each client may have in the pool at a time: one concurrency limiter for each.</summary>
/// <remarks>
/// There is one limiter for each client that has had a key since the start. <c>PartitionedRateLimiter.Create</c> would run a timer ten times a
/// second to find unused partitions, and an idle service must do nothing.
/// </remarks>
/// <param name="usual">The limit of a client that has none of its own.</param>
internal sealed class ApiKeyQuota(int usual) : PartitionedRateLimiter<HttpContext>
{
    private readonly ConcurrentDictionary<string, (int Limit, ConcurrencyLimiter Limiter)> _byName = new(StringComparer.Ordinal);

    public override RateLimiterStatistics? GetStatistics(HttpContext resource) => LimiterOf(resource).GetStatistics();

    protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount) =>
        LimiterOf(resource).AttemptAcquire(permitCount);

    protected override ValueTask<RateLimitLease> AcquireAsyncCore(HttpContext resource, int permitCount, CancellationToken cancellationToken) =>
        LimiterOf(resource).AcquireAsync(permitCount, cancellationToken);

    private ConcurrencyLimiter LimiterOf(HttpContext context)
    {
        ApiClient client = context.Features.GetRequiredFeature<ApiClient>();
        int limit = client.MaxConcurrency ?? usual;
        if (_byName.TryGetValue(client.Name, out var known) && known.Limit == limit) return known.Limiter;
        return _byName.AddOrUpdate(
            client.Name,
            static (_, limit) => (limit, Limiter(limit)),
            // A changed limit gets a new limiter. Permits of the old limiter do not count against the new one.
            static (_, known, limit) => known.Limit == limit ? known : (limit, Limiter(limit)),
            limit).Limiter;
    }

    private static ConcurrencyLimiter Limiter(int limit) => new(new ConcurrencyLimiterOptions { PermitLimit = limit, QueueLimit = 0 });

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var (_, limiter) in _byName.Values) limiter.Dispose();
        }
        base.Dispose(disposing);
    }
}
