using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Dashboard.Streams;

/// <summary>What the dashboard answers where it cannot do what is asked.</summary>
internal static class Problem
{
    private const string TypePrefix = "urn:poolapi:problem:";

    public static ProblemHttpResult Invalid(string detail) => Of(StatusCodes.Status400BadRequest, "invalid-request", "Invalid request", detail);

    public static ProblemHttpResult NotFound(string detail) => Of(StatusCodes.Status404NotFound, "not-found", "Not found", detail);

    public static ProblemHttpResult Forbidden(string detail) => Of(StatusCodes.Status403Forbidden, "forbidden", "Not from another site", detail);

    public static ProblemHttpResult Conflict(string detail) => Of(StatusCodes.Status409Conflict, "conflict", "Conflict", detail);

    /// <summary>A 503 response with a Retry-After of a few seconds.</summary>
    public static ProblemHttpResult Later(HttpContext context, string name, string title, string detail)
    {
        context.Response.Headers.RetryAfter = "5";
        return Of(StatusCodes.Status503ServiceUnavailable, name, title, detail);
    }

    private static ProblemHttpResult Of(int status, string name, string title, string detail) =>
        TypedResults.Problem(detail, statusCode: status, title: title, type: TypePrefix + name);
}
