using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;

namespace PoolApi.Auth;

/// <summary>How many requests for work each client may have in the pool at a time: one concurrency limiter for each.</summary>
/// <remarks>
/// The clients are known at the start. What <c>PartitionedRateLimiter.Create</c> makes would look ten times a second for
/// partitions that nobody uses any more, and an idle service does nothing.
/// </remarks>
internal sealed class ApiKeyQuota : PartitionedRateLimiter<HttpContext>
{
    private readonly Dictionary<string, ConcurrencyLimiter> _byName;

    public ApiKeyQuota(IEnumerable<string> names, int limit) => _byName = names.ToDictionary(
        static name => name,
        _ => new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = limit, QueueLimit = 0 }),
        StringComparer.Ordinal);

    public override RateLimiterStatistics? GetStatistics(HttpContext resource) => LimiterOf(resource).GetStatistics();

    protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount) =>
        LimiterOf(resource).AttemptAcquire(permitCount);

    protected override ValueTask<RateLimitLease> AcquireAsyncCore(HttpContext resource, int permitCount, CancellationToken cancellationToken) =>
        LimiterOf(resource).AcquireAsync(permitCount, cancellationToken);

    private ConcurrencyLimiter LimiterOf(HttpContext context) => _byName[context.Features.GetRequiredFeature<ApiClient>().Name];

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (ConcurrencyLimiter limiter in _byName.Values) limiter.Dispose();
        }
        base.Dispose(disposing);
    }
}
