using Microsoft.AspNetCore.Mvc;

namespace PoolApi;

/// <summary>
/// A problem type (RFC 9457): one entry of a project's catalogue. Responses, OpenAPI documents and the table in docs/http-api.md come from it.
/// </summary>
/// <param name="Name">What programs rely on. The problem's <c>type</c> is <see cref="Prefix"/> and this.</param>
/// <param name="Status">The status of the response.</param>
/// <param name="Title">The <c>title</c>, the same in each response.</param>
/// <param name="When">When a client gets it, in Markdown. Whether to try again is not part of it.</param>
/// <param name="Retry">Whether the client may send the request again.</param>
internal sealed record ProblemType(string Name, int Status, string Title, string When, ProblemRetry Retry = ProblemRetry.No)
{
    /// <summary>What the <c>type</c> of every problem begins with.</summary>
    public const string Prefix = "urn:poolapi:problem:";

    /// <summary>The problem's <c>type</c>.</summary>
    public string Uri => Prefix + Name;

    /// <summary>The name in a <c>type</c>; <see langword="null"/> if the type is not one of these.</summary>
    public static string? NameOf(string? uri) => uri?.StartsWith(Prefix, StringComparison.Ordinal) == true ? uri[Prefix.Length..] : null;

    /// <summary>What several problems of one status mean, for the description of a response in OpenAPI.</summary>
    public static string Describe(IEnumerable<ProblemType> problems) => string.Join("; ", problems.GroupBy(static p => p.Retry).Select(static same =>
    {
        string text = string.Join("; ", same.Select(static p => $"{p.Name}: {p.When}"));
        string all = same.Count() == 1 ? "" : "all of these: ";
        return same.Key switch
        {
            ProblemRetry.Later => $"{text} ({all}try again after Retry-After)",
            ProblemRetry.Unknown => $"{text} ({all}the request may have taken effect)",
            _ => text,
        };
    }));

    /// <summary>The problem details of one response.</summary>
    /// <param name="context">The request.</param>
    /// <param name="detail">What is wrong with this request, and what the client can do.</param>
    /// <param name="errors">The faults by field.</param>
    /// <param name="status">The status, where it is not the usual one.</param>
    public ProblemDetails Of(Microsoft.AspNetCore.Http.HttpContext context, string detail, IReadOnlyDictionary<string, string[]>? errors = null, int? status = null)
    {
        var problem = new ProblemDetails { Type = Uri, Title = Title, Status = status ?? Status, Detail = detail };
        problem.Extensions["traceId"] = AnyClientProblem.TraceIdOf(context);
        if (errors is not null) problem.Extensions["errors"] = errors.ToDictionary();
        return problem;
    }
}

/// <summary>Whether a client may send a request again that got a problem.</summary>
internal enum ProblemRetry
{
    /// <summary>The same request gets the same problem.</summary>
    No,

    /// <summary>Nothing has taken effect, and the client may try again at once.</summary>
    Yes,

    /// <summary>The client may try again after the time in <c>Retry-After</c>, which the response has.</summary>
    Later,

    /// <summary>The request may have taken effect: the client must find out first.</summary>
    Unknown,
}
