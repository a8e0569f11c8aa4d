using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Dashboard.Streams;

/// <summary>The dashboard's answers that are problems, and the catalogue of those.</summary>
internal static class Problem
{
    private const int RetryAfterSeconds = 5;

    private static readonly ProblemType ConflictType = new("conflict", 409, "Conflict", "a change with the dashboard does not fit the state of the job");

    private static readonly ProblemType NotFoundType = CommonProblems.NotFound with { When = "the dashboard has no such pool, job or work" };

    public static IReadOnlyList<ProblemType> All { get; } =
        [CommonProblems.InvalidRequest, NotFoundType, CommonProblems.Forbidden, ConflictType, CommonProblems.Overloaded, CommonProblems.StoreUnavailable];

    public static ProblemHttpResult Invalid(string detail) => Of(CommonProblems.InvalidRequest, detail);

    public static ProblemHttpResult NotFound(string detail) => Of(NotFoundType, detail);

    public static ProblemHttpResult Forbidden(string detail) => Of(CommonProblems.Forbidden, detail);

    public static ProblemHttpResult Conflict(string detail) => Of(ConflictType, detail);

    /// <summary>503: the page may try again in a few seconds.</summary>
    public static ProblemHttpResult Later(HttpContext context, ProblemType type, string detail)
    {
        context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        return Of(type, detail);
    }

    private static ProblemHttpResult Of(ProblemType type, string detail) =>
        TypedResults.Problem(detail, statusCode: type.Status, title: type.Title, type: type.Uri);
}
