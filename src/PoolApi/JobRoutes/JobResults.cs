using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;

namespace PoolApi.JobRoutes;

/// <summary>What a job came to, as the answer to whoever asks for it.</summary>
internal static class JobResults
{
    /// <inheritdoc cref="Of(HttpContext, Job, JobResult?, bool, bool)"/>
    public static IResult Of(HttpContext context, JobWithResult outcome, bool withLocation = false) =>
        Of(context, outcome.Job, outcome.Result, outcome.IsSwept, withLocation);

    /// <summary>
    /// The answer that the work gave, if it gave one: of a success, and of a failure too. Otherwise a problem that says why
    /// there is none.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="job">The job.</param>
    /// <param name="result">Its result, if it has one.</param>
    /// <param name="isSwept">It is past its retention.</param>
    /// <param name="withLocation">Say where the result is found (<c>Content-Location</c>): for answers to other requests than for it.</param>
    public static IResult Of(HttpContext context, Job job, JobResult? result, bool isSwept = false, bool withLocation = false)
    {
        if (withLocation && job.State.IsFinal()) context.Response.Headers.ContentLocation = JobLinks.Result(job.Id);
        return job.State switch
        {
            JobState.Cancelled => JobProblems.WasCancelled(context, job),
            JobState.Expired => JobProblems.HasExpired(context, job),
            JobState.Succeeded or JobState.Failed when result is not null => new StoredAnswer(result),
            JobState.Succeeded => JobProblems.Gone(context),
            JobState.Failed when isSwept => JobProblems.Gone(context),
            JobState.Failed => JobProblems.HasFailed(context, job),
            _ => JobProblems.NotYet(context, job),
        };
    }

    /// <summary>202: where the job is, and how.</summary>
    public static JsonHttpResult<JobView> Accepted(HttpContext context, Job job)
    {
        context.Response.Headers.Location = JobLinks.Self(job.Id);
        JobRetryAfter.Tell(context, job);
        return TypedResults.Json(JobView.Of(job), JobJson.Readable.JobView, statusCode: StatusCodes.Status202Accepted);
    }

    /// <summary>Says once more what the work said when it ran.</summary>
    private sealed class StoredAnswer(JobResult result) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            HttpResponse response = httpContext.Response;
            response.StatusCode = result.Status;
            // Such have no body, and the server refuses to write one.
            if (result.Status is StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified) return;
            response.ContentType = result.ContentType;
            response.ContentLength = result.Body.Length;
            await response.Body.WriteAsync(result.Body, httpContext.RequestAborted);
        }
    }
}
