using System.Globalization;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.Jobs.AspNetCore.Problems;

/// <summary>A problem response of this project. The app's problem details service writes it, and applies the app's customization.</summary>
internal sealed class JobProblem : IResult, IStatusCodeHttpResult
{
    private JobProblem(ProblemDetails details) => Details = details;

    /// <summary>What is written.</summary>
    public ProblemDetails Details { get; }

    /// <inheritdoc/>
    public int? StatusCode => Details.Status;

    /// <summary>A problem.</summary>
    /// <param name="context">The request.</param>
    /// <param name="type">Which one. Its <c>Retry-After</c>, if it has one, is set before.</param>
    /// <param name="detail">What is wrong with this request, and what the client can do.</param>
    public static JobProblem Of(HttpContext context, ProblemType type, string detail) => new(type.Of(context, detail));

    /// <summary>A problem after which the client may try again in some seconds.</summary>
    public static JobProblem Later(HttpContext context, ProblemType type, string detail, int seconds)
    {
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Of(context, type, detail);
    }

    /// <summary>One or more fields of the request are wrong; each is named with what it must be.</summary>
    public static JobProblem InvalidRequest(HttpContext context, IReadOnlyDictionary<string, string[]> errors) =>
        new(CommonProblems.InvalidRequest.Of(context, string.Join(" ", errors.SelectMany(static e => e.Value)), errors));

    /// <summary>A problem with one field.</summary>
    /// <param name="context">The request.</param>
    /// <param name="type">Which one.</param>
    /// <param name="field">The field.</param>
    /// <param name="fault">What is wrong with it, and what it must be.</param>
    /// <param name="status">The status, where it is not the type's.</param>
    public static JobProblem OfField(HttpContext context, ProblemType type, string field, string fault, int? status = null) =>
        new(type.Of(context, fault, new Dictionary<string, string[]> { [field] = [fault] }, status));

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext) => AnyClientProblem.WriteAsync(httpContext, Details);
}
