using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Endpoints;

/// <content>Stage 1, admit: decides before the body is read whether to refuse the request.</content>
internal sealed partial class PoolRequest
{
    /// <summary>Takes a request through all stages.</summary>
    public static Task ServeAsync(PoolEndpoint endpoint, HttpContext context) =>
        IsAnyInPool(context)
            ? endpoint.Handler(context) // the pipeline already runs on a pool
            : AdmitAsync(endpoint, context, needsRoom: true);

    /// <summary>Takes a request that is stored and run later through the stages. It needs no place in the pool.</summary>
    public static Task StoreAsync(PoolEndpoint endpoint, HttpContext context) => AdmitAsync(endpoint, context, needsRoom: false);

    /// <summary>Takes a stored request through the stages. It was admitted when it came. A stop waits for it as for any request.</summary>
    public static async Task RunStoredAsync(PoolEndpoint endpoint, HttpContext context)
    {
        OpenRequests.Epoch requests = endpoint.Shutdown.Requests.Enter();
        try
        {
            await Of(endpoint, context, quota: null, context.Features.GetRequiredFeature<IAcceptedWorkFeature>()).ProcessAsync(hasBody: false);
        }
        finally
        {
            requests.Exit();
        }
    }

    private static Task AdmitAsync(PoolEndpoint endpoint, HttpContext context, bool needsRoom)
    {
        bool hasBody = HasBody(context);
        QuotaLease? quota = TakeQuotaUnlessClosed(endpoint, context, out Rejection? refused);
        if (needsRoom) refused ??= FindRoom(endpoint, hasBody);
        return refused is null ? Of(endpoint, context, quota, accepted: null).ProcessAsync(hasBody) : RefuseAsync(endpoint, context, quota, refused);
    }

    private static Rejection? FindRoom(PoolEndpoint endpoint, bool hasBody) =>
        endpoint.Overload?.ShouldRefuse() == true ? Rejection.Overloaded(endpoint.Pool)
        : hasBody && endpoint.Pool.Admission.IsLikelyFull ? Rejection.QueueFull(endpoint.Pool)
        : null;

    private static bool HasBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? context.Request.ContentLength > 0;

    /// <summary>Takes a permit of the client's quota, unless the app is closed.</summary>
    /// <returns>The permit; <see langword="null"/>: the request is refused, or the pool has no quota.</returns>
    private static QuotaLease? TakeQuotaUnlessClosed(PoolEndpoint endpoint, HttpContext context, out Rejection? refused)
    {
        // Checked before the body is read, so that the client need not send it. Stage 4 decides exactly.
        if (endpoint.Shutdown.IsClosed)
        {
            refused = Rejection.Draining(endpoint.Pool);
            return null;
        }
        // Checked before the space in the pool: a client that has used up its quota gets 429 in any case.
        return QuotaLease.Take(endpoint.Pool, context, out refused);
    }

    private static async Task RefuseAsync(PoolEndpoint endpoint, HttpContext context, QuotaLease? quota, Rejection refused)
    {
        using (quota) await Counted(endpoint.Pool, refused).ExecuteAsync(context);
    }

    /// <summary>Counts a refusal in front of the pool. The pool has counted its own refusals.</summary>
    private static Rejection Counted(PoolContext pool, Rejection rejection)
    {
        pool.Admission.CountRejected(rejection.Reason);
        return rejection;
    }
}
