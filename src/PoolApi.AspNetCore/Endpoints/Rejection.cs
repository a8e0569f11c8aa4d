using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>The answer to a request whose work was refused or not finished: problem details that say what to do.</summary>
internal sealed class Rejection : IResult
{
    private readonly int _status;
    private readonly string _name;
    private readonly string _title;
    private readonly string _detail;
    private readonly TimeSpan? _retryAfter;
    private readonly string? _field;

    private Rejection(int status, string name, string title, string detail, TimeSpan? retryAfter = null, string? field = null)
    {
        _status = status;
        _name = name;
        _title = title;
        _detail = detail;
        _retryAfter = retryAfter;
        _field = field;
    }

    public static Rejection QueueFull(AppPool pool) => new(
        StatusCodes.Status503ServiceUnavailable, "queue-full", "The queue is full",
        "As many requests wait as may. Nothing has run. Try again after the time in Retry-After.", RetryAfter(pool));

    public static Rejection Overloaded(AppPool pool) => new(
        StatusCodes.Status503ServiceUnavailable, "overloaded", "Overloaded",
        "There is no room for this request's body among those that wait, or its turn would come too late. Nothing has run. "
        + "Try again after the time in Retry-After.", RetryAfter(pool));

    /// <summary>The process has no memory left for what comes before the work: the body, or what is bound of it.</summary>
    public static Rejection OutOfMemory(AppPool pool) => new(
        StatusCodes.Status503ServiceUnavailable, "overloaded", "Overloaded",
        "There is no memory for this request now. Nothing has run. Try again after the time in Retry-After.", RetryAfter(pool));

    /// <summary>The work has run, but its answer cannot be kept for as long as the client may take to read it.</summary>
    public static Rejection AnswersFull(AppPool pool) => new(
        StatusCodes.Status503ServiceUnavailable, "overloaded", "Overloaded",
        "The work is done, but there is no room for its answer: other clients have not read theirs yet. "
        + "Try again after the time in Retry-After.", RetryAfter(pool));

    /// <summary>This client's own share is used up.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="retryAfter">When the quota itself says to come back; what the pool estimates if it does not say.</param>
    public static Rejection Quota(AppPool pool, TimeSpan? retryAfter) => new(
        StatusCodes.Status429TooManyRequests, "quota", "The quota is used up",
        "This client has as much of the pool as it may have. Nothing has run. Wait for an answer to an earlier request, or try again "
        + "after the time in Retry-After.", retryAfter ?? RetryAfter(pool));

    public static Rejection Expired(AppPool pool, TimeSpan limit) => new(
        StatusCodes.Status503ServiceUnavailable, "expired", "Waited too long",
        $"No worker was free within {limit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s. Nothing has run. "
        + "Try again after the time in Retry-After.", RetryAfter(pool));

    public static Rejection Draining(AppPool pool) => new(
        StatusCodes.Status503ServiceUnavailable, "draining", "Shutting down",
        "This instance finishes what it has accepted and takes nothing more. Nothing has run. Try again on a new connection.", RetryAfter(pool));

    public static Rejection NotStarted(AppPool pool) => new(
        StatusCodes.Status503ServiceUnavailable, "not-started", "Not started",
        "This instance had to stop before a worker was free. Nothing has run. Try again on a new connection.", RetryAfter(pool));

    /// <summary>No Retry-After: it may have taken effect, so that trying again is not known to be safe.</summary>
    public static Rejection StateUnknown() => new(
        StatusCodes.Status503ServiceUnavailable, "state-unknown", "Interrupted",
        "This instance had to stop while the work was under way. It may have taken effect: find out before you try again.");

    public static Rejection PayloadTooLarge(long limit) => new(
        StatusCodes.Status413PayloadTooLarge, "payload-too-large", "The body is too large",
        $"The body may have up to {limit.ToString(CultureInfo.InvariantCulture)} bytes.", field: "body");

    /// <summary>The server could not make out the body. What follows on the connection cannot be told from it.</summary>
    public static Rejection MalformedBody(HttpContext context)
    {
        if (HttpProtocol.IsHttp11(context.Request.Protocol)) context.Response.Headers.Connection = "close";
        return new(
            StatusCodes.Status400BadRequest, "invalid-request", "The request is not valid",
            "The body is malformed or was cut off: it may have as many bytes as Content-Length says, or valid chunks with an end. Nothing has run.",
            field: "body");
    }

    /// <summary>For a client that has gone: nobody reads it, but the access log does. 499 is nginx's word for it.</summary>
    public static IResult ClientGone { get; } = TypedResults.StatusCode(StatusCodes.Status499ClientClosedRequest);

    /// <summary>Why, as <c>poolapi.work.rejected</c> counts it.</summary>
    public string Reason => ReasonOf(_name);

    /// <summary>Every <see cref="Reason"/> that a pool's counter can have.</summary>
    /// <param name="pool">The pool.</param>
    public static IEnumerable<string> Reasons(AppPool pool)
    {
        string[] names = ["queue-full", "overloaded", "draining", "payload-too-large"];
        return (pool.Options.Quota is null ? names : names.Append("quota")).Select(ReasonOf);
    }

    private static string ReasonOf(string name) => name.Replace('-', '_');

    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        if (_retryAfter is { } time)
        {
            long seconds = Math.Max(1, (long)Math.Ceiling(time.TotalSeconds));
            httpContext.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }
        var extensions = new Dictionary<string, object?> { ["traceId"] = Activity.Current?.TraceId.ToString() ?? httpContext.TraceIdentifier };
        if (_field is not null) extensions["errors"] = new Dictionary<string, string[]> { [_field] = [_detail] };
        ProblemHttpResult problem = TypedResults.Problem(
            _detail, instance: null, _status, _title, type: "urn:poolapi:problem:" + _name, extensions);
        return problem.ExecuteAsync(httpContext);
    }

    private static TimeSpan RetryAfter(AppPool pool) => pool.Threads.EstimateQueueTime();
}
