using Microsoft.AspNetCore.Http.Features;

namespace PoolApi.Requests;

/// <summary>
/// Refuses a request whose head is wrong before its body is read: a query parameter that the route does not have or that has a wrong value, a
/// content coding, a media type. A client that sends <c>Expect: 100-continue</c> has not sent its body by then.
/// </summary>
/// <remarks>
/// A stored request does not pass this middleware: a job that an earlier version accepted does not fail because of a parameter that this
/// version refuses.
/// </remarks>
internal static class RequestChecks
{
    /// <summary>A group of routes whose requests are checked.</summary>
    public static RouteGroupBuilder MapChecked(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGroup("").WithMetadata(CheckedRequestMetadata.Instance).ProducesProblem(StatusCodes.Status400BadRequest);

    /// <summary>After the routing and the check of keys, before everything that reads the request.</summary>
    public static void UseRequestChecks(this WebApplication app) => app.Use(static rest => context =>
        // Not async: a request without faults should not pay for a state machine.
        context.GetEndpoint()?.Metadata is { } endpoint
        && endpoint.GetMetadata<CheckedRequestMetadata>() is not null
        && Check(context, endpoint) is { } refusal
            ? refusal.ExecuteAsync(context)
            : rest(context));

    /// <summary>
    /// Adds the endpoint's own check of the head, for requests with a body. The endpoint checks the head again when it binds the request, since
    /// requests without a body and stored requests are not checked here.
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
