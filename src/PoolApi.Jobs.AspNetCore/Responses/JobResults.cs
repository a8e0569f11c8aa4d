using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>Answers a request with the outcome of a job.</summary>
internal static class JobResults
{
    /// <summary>
    /// The response that the work gave, of a success or of a failure. Without one, a problem with the reason. The bytes of the response count
    /// in the budget of unread responses until the client has read them. If the budget has no room, the response is not read from the store.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="store">The store.</param>
    /// <param name="id">The job. A job of another client is answered as if it did not exist.</param>
    /// <param name="ofOwnRequest">
    /// The job was made of this request: the response has <c>Content-Location</c>, the URL of the result. A job that does not exist was deleted.
    /// </param>
    public static async Task<IResult> ReadAsync(HttpContext context, IJobStore store, Guid id, bool ofOwnRequest = false) =>
        await TryReadAsync(context, store, id, ofOwnRequest) ?? NoRoom(context);

    /// <summary>As <see cref="ReadAsync"/>; <see langword="null"/> if the budget has no room.</summary>
    public static async Task<IResult?> TryReadAsync(HttpContext context, IJobStore store, Guid id, bool ofOwnRequest)
    {
        var responses = context.RequestServices.GetRequiredService<ResponseBudget>();
        // The room for a small result is reserved before its length is known: then one query reads it.
        long inline = Math.Min(BodyLimits.Inline, responses.Limit);
        if (responses.TryTake(context, inline) is not { } reservation) return null;
        JobWithResult? outcome = await store.GetResultAsync(id, inline, context.RequestAborted);
        // A job that was retried meanwhile may have a longer result by now.
        while (outcome is { UnreadBytes: > 0 and var length } && outcome.Job.For(context) is not null && !HttpMethods.IsHead(context.Request.Method))
        {
            if (!reservation.TryResize(length)) return null;
            outcome = await store.GetResultAsync(id, length, context.RequestAborted);
        }
        if (outcome is null && ofOwnRequest) return JobRejections.Deleted(context);
        if (outcome is null || outcome.Job.For(context) is null) return JobRejections.None(context);
        reservation.TryResize(Math.Min(outcome.Result?.Body.Length ?? 0, reservation.Bytes));
        return Of(context, outcome, reservation, ofOwnRequest);
    }

    /// <summary>A large response that this instance made. It counts in the same budget.</summary>
    public static IResult Bytes(HttpContext context, string contentType, byte[] body) =>
        context.RequestServices.GetRequiredService<ResponseBudget>().TryTake(context, body.Length) is { } reservation
            ? new StoredResult(new JobResult(StatusCodes.Status200OK, contentType, body), body.Length, reservation)
            : NoRoom(context);

    private static IResult Of(HttpContext context, JobWithResult outcome, ResponseReservation reservation, bool ofOwnRequest)
    {
        var (job, result, isSwept) = outcome;
        if (ofOwnRequest && job.State.IsFinal()) context.Response.Headers.ContentLocation = JobLinks.From(context.Request).Result(job.Id);
        return job.State switch
        {
            JobState.Cancelled => JobRejections.WasCancelled(context, job),
            JobState.Expired => JobRejections.HasExpired(context, job),
            JobState.Succeeded or JobState.Failed when result is not null => new StoredResult(result, result.Body.Length + outcome.UnreadBytes, reservation),
            JobState.Succeeded => JobRejections.Gone(context),
            JobState.Failed when isSwept => JobRejections.Gone(context),
            JobState.Failed => JobRejections.HasFailed(context, job),
            _ => JobRejections.NotYet(context, job),
        };
    }

    private static JobProblem NoRoom(HttpContext context) => JobProblem.Later(
        context, CommonProblems.Overloaded,
        "There is no room for this response: other clients have not read theirs yet. Try again after the time in Retry-After.", StoreUnavailable.RetryAfter);

    /// <summary>202, with the URL of the job and the job itself.</summary>
    public static JsonHttpResult<JobView> Accepted(HttpContext context, Job job)
    {
        var links = JobLinks.From(context.Request);
        context.Response.Headers.Location = links.Self(job.Id);
        JobRetryAfter.SetHeader(context, job);
        return TypedResults.Json(JobView.Of(job, links), JobJson.Readable.JobView, statusCode: StatusCodes.Status202Accepted);
    }

    /// <summary>Sends the response that the work gave when it ran.</summary>
    private sealed class StoredResult(JobResult result, long length, ResponseReservation reservation) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            HttpResponse response = httpContext.Response;
            response.StatusCode = result.Status;
            // These statuses have no body, and the server refuses to write one.
            if (result.Status is StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified) return;
            response.ContentType = result.ContentType;
            response.ContentLength = length;
            if (!HttpMethods.IsHead(httpContext.Request.Method)) await reservation.SendAsync(httpContext, result.Body);
        }
    }
}
