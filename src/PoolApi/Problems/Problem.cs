using System.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.Problems;

/// <summary>The service's problem details: a name that programs can rely on, and words that say what to do.</summary>
internal static class Problem
{
    /// <summary>One or more fields of the request are wrong; each is named with what it may be.</summary>
    public static ProblemHttpResult InvalidRequest(HttpContext context, IReadOnlyDictionary<string, string[]> errors) =>
        Of(context, StatusCodes.Status400BadRequest, string.Join(" ", errors.SelectMany(static e => e.Value)), errors: errors);

    /// <summary>A field of a well-formed request cannot be processed.</summary>
    public static ProblemHttpResult Unprocessable(HttpContext context, string name, string field, string fault) =>
        Of(context, StatusCodes.Status422UnprocessableEntity, fault, name, new Dictionary<string, string[]> { [field] = [fault] });

    /// <summary>The body is not of a kind that this route takes.</summary>
    public static ProblemHttpResult UnsupportedMedia(HttpContext context, string field, string fault) =>
        Of(context, StatusCodes.Status415UnsupportedMediaType, fault, errors: new Dictionary<string, string[]> { [field] = [fault] });

    /// <summary>The header Accept excludes everything that the route can answer.</summary>
    public static ProblemHttpResult NotAcceptable(HttpContext context, string fault) =>
        Of(context, StatusCodes.Status406NotAcceptable, fault, errors: new Dictionary<string, string[]> { ["Accept"] = [fault] });

    /// <summary>A problem of a status.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">The status code.</param>
    /// <param name="detail">What is wrong and what to do; the status' own words if not given.</param>
    /// <param name="name">The problem's name; the status' own if not given.</param>
    /// <param name="errors">The faults by field.</param>
    public static ProblemHttpResult Of(
        HttpContext context, int status, string? detail = null, string? name = null, IReadOnlyDictionary<string, string[]>? errors = null)
    {
        var (usualName, title, usualDetail) = Usual(status);
        var extensions = new Dictionary<string, object?> { ["traceId"] = TraceId(context) };
        if (errors is not null) extensions["errors"] = errors.ToDictionary();
        return TypedResults.Problem(
            detail ?? usualDetail, instance: null, status, title, AnyClientProblem.TypePrefix + (name ?? usualName), extensions);
    }

    /// <summary>Fills in what a problem that the framework made does not say.</summary>
    public static void Complete(ProblemDetailsContext context)
    {
        int status = context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode;
        context.ProblemDetails.Extensions["traceId"] = TraceId(context.HttpContext);
        if (context.ProblemDetails.Type?.StartsWith(AnyClientProblem.TypePrefix, StringComparison.Ordinal) == true) return;
        var (name, title, detail) = Usual(status);
        context.ProblemDetails.Type = AnyClientProblem.TypePrefix + name;
        context.ProblemDetails.Title = title;
        context.ProblemDetails.Detail = detail;
    }

    public static string TraceId(HttpContext context) => Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;

    private static (string Name, string Title, string Detail) Usual(int status) => status switch
    {
        400 => ("invalid-request", "The request is not valid", "The request could not be understood."),
        401 => ("unauthorized", "An API key is needed",
            "Send the key that you were given, as 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'. There was none, or one that nobody has."),
        403 => ("forbidden", "Not allowed", "The request is not allowed from here, or with this key."),
        404 => ("not-found", "Not found", "There is no such route here. GET / says what there is."),
        405 => ("method-not-allowed", "Method not allowed", "The route exists, with another method: see the header Allow."),
        406 => ("not-acceptable", "There is no such format", "The header Accept excludes every format that the route can answer."),
        408 => ("request-timeout", "The request came too slowly", "The body was sent more slowly than the server waits for. Send it faster."),
        409 => ("conflict", "Not as it is now", "What was asked for cannot be done as things are now."),
        410 => ("gone", "Gone", "It was here, and is no more."),
        413 => ("payload-too-large", "The body is too large", "Send a smaller body."),
        415 => ("unsupported-media", "The body is of a kind that is not taken", "See the documentation of the route at /openapi/v1.json."),
        421 => ("host-not-allowed", "The host is not allowed", "The service does not answer by this host."),
        422 => ("unprocessable", "The content cannot be processed", "The request is well formed, and its content cannot be processed."),
        503 => ("unavailable", "Unavailable", "Try again later."),
        >= 500 => ("internal-error", "Something went wrong here", "The details are in the log, under the trace id."),
        _ => ("invalid-request", "The request is not valid", "The request could not be understood."),
    };
}
