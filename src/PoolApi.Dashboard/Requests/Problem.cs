using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Dashboard.Requests;

/// <summary>The dashboard's responses that are problems, and the catalogue of those.</summary>
internal static class Problem
{
    private const int RetryAfterSeconds = 5;

    private static readonly ProblemType ConflictType = new("conflict", 409, "Conflict", "a change with the dashboard does not fit the state of the job");

    private static readonly ProblemType NotFoundType = CommonProblems.NotFound with { When = "the dashboard has no such pool, job or work" };

    public static IReadOnlyList<ProblemType> All { get; } =
        [CommonProblems.InvalidRequest, NotFoundType, CommonProblems.Forbidden, ConflictType, CommonProblems.Overloaded, CommonProblems.StoreUnavailable];

    /// <summary>One or more fields of the request are wrong; each is named with what it must be.</summary>
    public static ProblemHttpResult InvalidRequest(HttpContext context, IReadOnlyDictionary<string, string[]> errors) =>
        TypedResults.Problem(CommonProblems.InvalidRequest.Of(context, string.Join(" ", errors.SelectMany(static e => e.Value)), errors));

    public static ProblemHttpResult NotFound(HttpContext context, string detail) => Of(context, NotFoundType, detail);

    public static ProblemHttpResult Forbidden(HttpContext context, string detail) => Of(context, CommonProblems.Forbidden, detail);

    public static ProblemHttpResult Conflict(HttpContext context, string detail) => Of(context, ConflictType, detail);

    /// <summary>503: the page may try again in a few seconds.</summary>
    public static ProblemHttpResult Later(HttpContext context, ProblemType type, string detail)
    {
        context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        return Of(context, type, detail);
    }

    private static ProblemHttpResult Of(HttpContext context, ProblemType type, string detail) => TypedResults.Problem(type.Of(context, detail));
}
