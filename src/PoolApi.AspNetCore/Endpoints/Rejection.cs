using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using PoolApi.AspNetCore.Problems;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>The response to a request whose work was refused or not finished: problem details with what the client can do.</summary>
internal sealed class Rejection : IResult
{
    /// <summary>The work has run: a proxy or a client that follows Retry-After would let it take effect twice.</summary>
    private static readonly ProblemType OverloadedAfterWork = CommonProblems.Overloaded with { Retry = ProblemRetry.Unknown };

    private static readonly ProblemType ClosedPool = CommonProblems.Draining with { Title = "The pool is closed" };

    private readonly PoolContext _pool;
    private readonly ProblemType _type;
    private readonly string? _field;

    /// <param name="pool">The pool.</param>
    /// <param name="type">The problem. It determines whether the response has Retry-After.</param>
    /// <param name="detail">What is wrong, and what the client can do.</param>
    /// <param name="retryAfter">When the client may try again, where that is not the pool's estimate.</param>
    /// <param name="field">The field of the request that is wrong.</param>
    private Rejection(PoolContext pool, ProblemType type, string detail, TimeSpan? retryAfter = null, string? field = null)
    {
        _pool = pool;
        _type = type;
        _field = field;
        TimeSpan? after = type.Retry == ProblemRetry.Later ? InSeconds(retryAfter ?? pool.Admission.EstimateQueueTime()) : null;
        Info = new PoolRejection(pool.Threads.Name, type.Name, type.Status, type.Title, detail, after);
    }

    /// <summary>The description of the rejection that the app receives.</summary>
    public PoolRejection Info { get; }

    public static Rejection QueueFull(PoolContext pool) => new(
        pool, PoolProblems.QueueFull,
        "The queue has as many items as it may hold. Nothing has run. Try again after the time in Retry-After.");

    /// <summary>The predicted queue time is longer than a quarter of the time that the endpoint's clients are seen to wait.</summary>
    public static Rejection Overloaded(PoolContext pool) => new(
        pool, CommonProblems.Overloaded,
        "Clients of this endpoint have disconnected after a long time in the queue. This request would wait for more than a quarter of the time that "
        + "its clients are estimated to wait. Nothing has run. Try again after the time in Retry-After.");

    /// <summary>The queue has room for the request, but the budget for bodies has none.</summary>
    public static Rejection NoRoomForBody(PoolContext pool) => new(
        pool, CommonProblems.Overloaded,
        "The bodies of waiting requests leave no room for this one. Nothing has run. Try again after the time in Retry-After.");

    /// <summary>The process has no memory left for the stages before the work: reading the body, and binding.</summary>
    public static Rejection OutOfMemory(PoolContext pool) => new(
        pool, CommonProblems.Overloaded,
        "There is no memory for this request now. Nothing has run. Try again after the time in Retry-After.");

    /// <summary>The work has run, but the budget for responses has no room for its result. No Retry-After, as for <see cref="StateUnknown"/>.</summary>
    public static Rejection ResponsesFull(PoolContext pool) => new(
        pool, OverloadedAfterWork,
        "The work has run, but there is no room for its response: other clients have not read theirs yet. "
        + "It may have taken effect: find out before you try again.");

    /// <summary>This client's own share is used up.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="retryAfter">The time that the limiter gives for the next try; <see langword="null"/>: the pool's estimate is used.</param>
    public static Rejection Quota(PoolContext pool, TimeSpan? retryAfter) => new(
        pool, PoolProblems.Quota,
        "This client has used up its share of the pool. Nothing has run. Try again after the time in Retry-After.", retryAfter);

    public static Rejection Expired(PoolContext pool, TimeSpan limit) => new(
        pool, PoolProblems.Expired,
        $"The request waited for {limit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s, the longest time it may wait. Nothing has run. "
        + "Try again after the time in Retry-After.");

    public static Rejection Draining(PoolContext pool) => new(
        pool, CommonProblems.Draining,
        "This instance is stopping: it finishes accepted requests and refuses new ones. Nothing has run. Try again on a new connection.");

    /// <summary>The app has closed the pool, and continues to run.</summary>
    public static Rejection PoolClosed(PoolContext pool) => new(
        pool, ClosedPool,
        "The pool of this endpoint is closed and refuses new requests. Nothing has run. Another instance may accept the request.");

    public static Rejection NotStarted(PoolContext pool) => new(
        pool, PoolProblems.NotStarted,
        "This instance had to stop before a worker was free. Nothing has run. Try again on a new connection.");

    /// <summary>The work may have taken effect. The response has no Retry-After, because a retry may not be safe.</summary>
    public static Rejection StateUnknown(PoolContext pool) => new(
        pool, PoolProblems.StateUnknown,
        "This instance had to stop while the work was under way. It may have taken effect: find out before you try again.");

    /// <summary>The work has exceeded its limit on run time. No Retry-After, for the same reason as <see cref="StateUnknown"/>.</summary>
    public static Rejection RunTimeout(PoolContext pool, TimeSpan limit) => new(
        pool, CommonProblems.RunTimeout,
        $"The work ran for {limit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s, the longest time it may run, and its cancellation was requested. "
        + "It may have taken effect: find out before you try again.");

    public static Rejection PayloadTooLarge(PoolContext pool, long limit) => new(
        pool, CommonProblems.PayloadTooLarge,
        $"The body may have up to {limit.ToString(CultureInfo.InvariantCulture)} bytes.", field: "body");

    /// <summary>The server could not parse the body, so the end of the body on the connection is not known.</summary>
    public static Rejection MalformedBody(PoolContext pool, HttpContext context)
    {
        if (HttpProtocol.IsHttp11(context.Request.Protocol)) context.Response.Headers.Connection = "close";
        return new(
            pool, CommonProblems.InvalidRequest,
            "The body is malformed or was cut off. It must have as many bytes as Content-Length says, or consist of valid chunks and end with the last one. "
            + "Nothing has run.",
            field: "body");
    }

    /// <summary>The result for a client that has disconnected. Only the access log shows it. 499 is nginx's status for this case.</summary>
    public static IResult ClientGone { get; } = TypedResults.StatusCode(StatusCodes.Status499ClientClosedRequest);

    /// <summary>Why, as <c>poolapi.work.rejected</c> counts it.</summary>
    public string Reason => ReasonOf(Info.Problem);

    /// <summary>Every <see cref="Reason"/> that a pool's counter can have.</summary>
    /// <param name="pool">The pool.</param>
    public static IEnumerable<string> Reasons(PoolContext pool)
    {
        ProblemType[] always = [PoolProblems.QueueFull, CommonProblems.Overloaded, CommonProblems.Draining, CommonProblems.PayloadTooLarge];
        return (pool.Options.Quota is null ? always : always.Append(PoolProblems.Quota)).Select(static type => ReasonOf(type.Name));
    }

    private static string ReasonOf(string name) => name.Replace('-', '_');

    /// <summary>Whether a rejection may get another status than an error's: the app's callbacks may, for example, redirect the client.</summary>
    public static bool MayHaveAnyStatus(PoolContext pool) => pool.Registration.Rejected.Count > 0;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        HttpResponse response = httpContext.Response;
        response.StatusCode = Info.Status;
        NoStore.Set(httpContext, MayHaveAnyStatus(_pool));
        if (Info.RetryAfter is { } time) response.Headers.RetryAfter = ((long)time.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        // Work that was accepted before has no client here to write a response for.
        if (httpContext.Features.Get<IAcceptedWorkFeature>() is null)
        {
            foreach (Func<HttpContext, PoolRejection, ValueTask<bool>> onRejected in _pool.Registration.Rejected)
            {
                if (await onRejected(httpContext, Info) || response.HasStarted) return;
            }
        }
        ProblemDetails problem = _type.Of(
            httpContext, Info.Detail, _field is null ? null : new Dictionary<string, string[]> { [_field] = [Info.Detail] });
        problem.Extensions["pool"] = Info.Pool;
        await AnyClientProblem.WriteAsync(httpContext, problem);
    }

    /// <summary>Whole seconds, as the header has them, and no more than clients can read.</summary>
    private static TimeSpan InSeconds(TimeSpan time) => TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling(time.TotalSeconds), 1, int.MaxValue));
}
