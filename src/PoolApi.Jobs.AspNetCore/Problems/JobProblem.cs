using Microsoft.AspNetCore.Mvc;

namespace PoolApi.Jobs.AspNetCore.Problems;

/// <summary>
/// Problem details of this room: a name that programs can rely on, and words that say what to do. The app's problem details service writes
/// them, with what the app has customized.
/// </summary>
internal sealed class JobProblem : IResult, IStatusCodeHttpResult
{
    private JobProblem(ProblemDetails details) => Details = details;

    /// <summary>What is written.</summary>
    public ProblemDetails Details { get; }

    /// <inheritdoc/>
    public int? StatusCode => Details.Status;

    /// <summary>One or more fields of the request are wrong; each is named with what it may be.</summary>
    public static JobProblem InvalidRequest(HttpContext context, IReadOnlyDictionary<string, string[]> errors) => Of(
        context, StatusCodes.Status400BadRequest, string.Join(" ", errors.SelectMany(static e => e.Value)), errors: errors);

    /// <summary>A problem with one field.</summary>
    public static JobProblem OfField(HttpContext context, int status, string field, string fault) =>
        Of(context, status, fault, errors: new Dictionary<string, string[]> { [field] = [fault] });

    /// <summary>A problem of a status.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">The status code.</param>
    /// <param name="detail">What is wrong and what to do.</param>
    /// <param name="name">The problem's name; the status' own if not given.</param>
    /// <param name="errors">The faults by field.</param>
    public static JobProblem Of(
        HttpContext context, int status, string detail, string? name = null, IReadOnlyDictionary<string, string[]>? errors = null)
    {
        (string usualName, string title) = Usual(status);
        var details = new ProblemDetails { Type = AnyClientProblem.TypePrefix + (name ?? usualName), Title = title, Status = status, Detail = detail };
        details.Extensions["traceId"] = AnyClientProblem.TraceIdOf(context);
        if (errors is not null) details.Extensions["errors"] = errors.ToDictionary();
        return new JobProblem(details);
    }

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext) => AnyClientProblem.WriteAsync(httpContext, TypedResults.Problem(Details));

    private static (string Name, string Title) Usual(int status) => status switch
    {
        401 => ("unauthorized", "The client is not known"),
        404 => ("not-found", "Not found"),
        405 => ("method-not-allowed", "Method not allowed"),
        409 => ("conflict", "Not as it is now"),
        410 => ("gone", "Gone"),
        413 => ("payload-too-large", "The body is too large"),
        422 => ("unprocessable", "The content cannot be processed"),
        503 => ("unavailable", "Unavailable"),
        >= 500 => ("internal-error", "Something went wrong here"),
        _ => ("invalid-request", "The request is not valid"),
    };
}
