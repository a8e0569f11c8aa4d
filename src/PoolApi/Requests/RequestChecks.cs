using Microsoft.AspNetCore.Http.Features;

namespace PoolApi.Requests;

/// <summary>
/// Refuses what the head of a request shows to be wrong, before its body is read: a query parameter that the route does not have, a
/// content coding, a media type. A client that sends <c>Expect: 100-continue</c> has sent no body by then.
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
            ? RefuseAsync(context, refusal)
            : rest(context));

    private static IResult? Check(HttpContext context, EndpointMetadataCollection endpoint) =>
        UnknownParameters.Refuse(context, endpoint.GetOrderedMetadata<QueryParameterMetadata>())
        ?? (endpoint.GetMetadata<RequestBodyMetadata>() is { } body ? ContentCoding.Refuse(context) ?? body.RefuseType(context) : null);

    private static Task RefuseAsync(HttpContext context, IResult refusal)
    {
        // The server reads away what the client goes on sending. Its own limit would cut the connection before the client has read why.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } server) server.MaxRequestBodySize = null;
        return refusal.ExecuteAsync(context);
    }
}
