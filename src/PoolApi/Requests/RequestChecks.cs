using Microsoft.AspNetCore.Http.Features;

namespace PoolApi.Requests;

/// <summary>
/// Refuses what the head of a request shows to be wrong, before its body is read: a query parameter that the route does not have or that
/// has a wrong value, a content coding, a media type. A client that sends <c>Expect: 100-continue</c> has sent no body by then.
/// </summary>
/// <remarks>
/// A stored request that is run later does not come by here: a job that an earlier version accepted does not fail because of a
/// parameter that this version refuses.
/// </remarks>
internal static class RequestChecks
{
    /// <summary>A group of routes whose requests are checked, whatever each of them reads.</summary>
    public static RouteGroupBuilder MapChecked(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGroup("").WithMetadata(CheckedRequestMetadata.Instance).ProducesProblem(StatusCodes.Status400BadRequest);

    /// <summary>After the routing and the check of keys, before everything that reads the request.</summary>
    public static void UseRequestChecks(this WebApplication app) => app.Use(static rest => context =>
        // Not async itself: requests that are right should not pay for those that are wrong.
        context.GetEndpoint()?.Metadata is { } endpoint
        && endpoint.GetMetadata<CheckedRequestMetadata>() is not null
        && Check(context, endpoint) is { } refusal
            ? refusal.ExecuteAsync(context)
            : rest(context));

    /// <summary>
    /// What the endpoint itself finds wrong with the head of a request that has a body. The endpoint checks it once more when it binds the
    /// request: also one without a body, and one that was stored.
    /// </summary>
    public static RouteHandlerBuilder RefuseHead(this RouteHandlerBuilder builder, Func<HttpContext, IResult?> refuse) =>
        builder.WithMetadata(new HeadCheckMetadata(refuse));

    private static IResult? Check(HttpContext context, EndpointMetadataCollection endpoint) =>
        UnknownParameters.Refuse(context, endpoint.GetOrderedMetadata<QueryParameterMetadata>())
        ?? (endpoint.GetMetadata<RequestBodyMetadata>() is { } body ? ContentCoding.Refuse(context) ?? body.RefuseType(context) : null)
        ?? (HasBody(context) ? endpoint.GetMetadata<HeadCheckMetadata>()?.Refuse(context) : null);

    private static bool HasBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? context.Request.ContentLength > 0;

    private sealed record HeadCheckMetadata(Func<HttpContext, IResult?> Refuse);
}
