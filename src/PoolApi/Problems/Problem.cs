using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Problems;

/// <summary>The service's responses that are problems.</summary>
internal static class Problem
{
    /// <summary>One or more fields of the request are wrong; each is named with what it must be.</summary>
    public static ProblemHttpResult InvalidRequest(HttpContext context, IReadOnlyDictionary<string, string[]> errors) =>
        Of(context, CommonProblems.InvalidRequest, string.Join(" ", errors.SelectMany(static e => e.Value)), errors);

    /// <summary>One field of the request is wrong.</summary>
    public static ProblemHttpResult OfField(HttpContext context, ProblemType type, string field, string fault) =>
        Of(context, type, fault, new Dictionary<string, string[]> { [field] = [fault] });

    /// <summary>A problem.</summary>
    /// <param name="context">The request.</param>
    /// <param name="type">Which one.</param>
    /// <param name="detail">What is wrong and what to do; the type's usual text if not given.</param>
    /// <param name="errors">The faults by field.</param>
    /// <param name="status">The status, where it is not the type's.</param>
    public static ProblemHttpResult Of(
        HttpContext context, ProblemType type, string? detail = null, IReadOnlyDictionary<string, string[]>? errors = null, int? status = null) =>
        TypedResults.Problem(type.Of(context, detail ?? ServiceProblems.DetailOf(type), errors, status));

    /// <summary>Adds the trace id to a problem. If the framework made it, also sets the type, the title and the detail.</summary>
    public static void Complete(ProblemDetailsContext context)
    {
        context.ProblemDetails.Extensions["traceId"] = AnyClientProblem.TraceIdOf(context.HttpContext);
        if (ProblemType.NameOf(context.ProblemDetails.Type) is not null) return;
        ProblemType type = ServiceProblems.Of(context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode);
        context.ProblemDetails.Type = type.Uri;
        context.ProblemDetails.Title = type.Title;
        context.ProblemDetails.Detail = ServiceProblems.DetailOf(type);
    }
}
