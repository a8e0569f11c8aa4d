using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>The permit of one request in its client's quota, from before the body is read until the handler has returned or will not run.</summary>
/// <remarks>
/// The request releases the permit when its handler has returned or will not run, or when it has become a job. If a response begins while no
/// work is in the pool, the request releases the permit then: a client that has read its response must find its permit free, and a client
/// that reads slowly holds no worker. A request without a response releases it at its end.
/// </remarks>
internal sealed class QuotaLease : IDisposable
{
    private readonly HttpContext _context;
    private RateLimitLease? _lease;

    private QuotaLease(HttpContext context, RateLimitLease lease)
    {
        _context = context;
        _lease = lease;
    }

    /// <summary>Acquires a permit without waiting.</summary>
    /// <param name="pool">The pool whose quota it is.</param>
    /// <param name="context">The request.</param>
    /// <param name="refusal">The refusal, if the quota is used up.</param>
    /// <returns>The permit, to be disposed of; <see langword="null"/> if there is no quota or it is used up.</returns>
    public static QuotaLease? Take(PoolContext pool, HttpContext context, out Rejection? refusal)
    {
        refusal = null;
        if (pool.Options.Quota is not { } quota) return null;
        RateLimitLease lease = quota.AttemptAcquire(context);
        if (!lease.IsAcquired)
        {
            refusal = Rejection.Quota(pool, lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan time) ? time : null);
            lease.Dispose();
            return null;
        }
        var held = new QuotaLease(context, lease);
        if (!context.Response.HasStarted) context.Response.OnStarting(static held => ((QuotaLease)held).OnResponseStarting(), held);
        return held;
    }

    /// <summary>Releases the permit. A second call does nothing.</summary>
    public void Dispose() => Interlocked.Exchange(ref _lease, null)?.Dispose();

    private Task OnResponseStarting()
    {
        if (!PoolRequest.IsAnyInPool(_context)) Dispose();
        return Task.CompletedTask;
    }
}
