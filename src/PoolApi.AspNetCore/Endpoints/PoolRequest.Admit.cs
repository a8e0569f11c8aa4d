using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Endpoints;

/// <content>Stage 1, admit: what can refuse the request has its say before anything of it is read.</content>
internal sealed partial class PoolRequest
{
    /// <summary>Takes a request through all stages.</summary>
    public static Task ServeAsync(PoolEndpoint endpoint, HttpContext context) =>
        context.Features.Get<PoolRequest>() is { IsInPool: true }
            ? endpoint.Handler(context) // all of the pipeline runs on a pool already
            : AdmitAsync(endpoint, context, needsRoom: true);

    /// <summary>The same for a request that is stored, and run later: it needs no room in the pool.</summary>
    public static Task StoreAsync(PoolEndpoint endpoint, HttpContext context) => AdmitAsync(endpoint, context, needsRoom: false);

    /// <summary>And for one that was stored: all that could refuse it had its say when it came. A stop waits for it as for any request.</summary>
    public static async Task RunStoredAsync(PoolEndpoint endpoint, HttpContext context)
    {
        OpenRequests.Epoch requests = endpoint.Shutdown.Requests.Enter();
        try
        {
            await Of(endpoint, context, quota: null, context.Features.GetRequiredFeature<IAcceptedWorkFeature>()).PassAsync(hasBody: false);
        }
        finally
        {
            requests.Exit();
        }
    }

    private static Task AdmitAsync(PoolEndpoint endpoint, HttpContext context, bool needsRoom)
    {
        bool hasBody = HasBody(context);
        QuotaLease? quota = TakeQuota(endpoint, context, out Rejection? refused);
        if (needsRoom) refused ??= FindRoom(endpoint, hasBody);
        return refused is null ? Of(endpoint, context, quota, accepted: null).PassAsync(hasBody) : RefuseAsync(endpoint, context, quota, refused);
    }

    private static Rejection? FindRoom(PoolEndpoint endpoint, bool hasBody) =>
        endpoint.Overload?.ShouldRefuse() == true ? Rejection.Overloaded(endpoint.Pool)
        : hasBody && endpoint.Pool.Admission.IsLikelyFull ? Rejection.QueueFull(endpoint.Pool)
        : null;

    private static bool HasBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? context.Request.ContentLength > 0;

    private static QuotaLease? TakeQuota(PoolEndpoint endpoint, HttpContext context, out Rejection? refused)
    {
        // Before the body is read: the client need not send it in vain. The stage that runs it decides again, exactly.
        if (endpoint.Shutdown.IsClosed)
        {
            refused = Rejection.Draining(endpoint.Pool);
            return null;
        }
        // Before the room in the pool is looked at: a client that has used its quota is told so, however much room there is.
        return QuotaLease.Take(endpoint.Pool, context, out refused);
    }

    private static async Task RefuseAsync(PoolEndpoint endpoint, HttpContext context, QuotaLease? quota, Rejection refused)
    {
        using (quota) await Counted(endpoint.Pool, refused).ExecuteAsync(context);
    }

    /// <summary>A refusal in front of the pool; those of the pool itself it has counted already.</summary>
    private static Rejection Counted(PoolContext pool, Rejection rejection)
    {
        pool.Admission.CountRejected(rejection.Reason);
        return rejection;
    }
}
