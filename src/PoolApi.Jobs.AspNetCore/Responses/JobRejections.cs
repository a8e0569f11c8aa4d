using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using PoolApi.Jobs.AspNetCore.Problems;

namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>The problems that answer a request about one job: it does not exist, has no result, or cannot be changed as asked.</summary>
internal static class JobRejections
{
    /// <summary>The same text for a job that never existed, is another client's, or was removed: no client learns of another's jobs.</summary>
    public static IResult None(HttpContext context) => JobProblem.Of(
        context, JobProblems.NotFound,
        "This client has no such job. Check the id, which the Location header of the 202 response contained. "
        + "A job is deleted some time after its retention has ended.");

    public static IResult NotYet(HttpContext context, Job job)
    {
        JobRetryAfter.SetHeader(context, job);
        return JobProblem.Of(
            context, JobProblems.NotFinished,
            $"The job is {job.State.ToWord()} and has no result yet. Ask again after the time in Retry-After, or wait for it: "
            + $"GET {JobLinks.Path(context, job.Id)} with 'Prefer: wait=30', or GET {JobLinks.Path(context, job.Id)}/events.");
    }

    public static IResult Gone(HttpContext context) => JobProblem.Of(
        context, JobProblems.ResultGone, "The job is past its retention, and its result is gone. Another request would run the work again.");

    /// <summary>The job was deleted while its client waited.</summary>
    public static IResult Deleted(HttpContext context) => JobProblem.Of(
        context, JobProblems.ResultGone, "The job of this request has ended and was deleted, and its result is gone. Another request would run the work again.");

    public static IResult WasCancelled(HttpContext context, Job job) => JobProblem.Of(
        context, JobProblems.Cancelled, $"The job was cancelled and has no result. {HowToRetry(context, job)}");

    public static IResult HasExpired(HttpContext context, Job job) => JobProblem.Of(
        context, JobProblems.Expired, $"The job did not end before its deadline and has no result. {HowToRetry(context, job)}");

    public static IResult HasFailed(HttpContext context, Job job) => JobProblem.Of(
        context, JobProblems.OfFailure(job.Error?.Name),
        // A result that is too large would be too large again, so the text does not propose a retry.
        (job.Error?.Detail ?? "The work failed. The details are in the log.")
        + (job.Error?.Name == JobProblems.ResultTooLarge.Name ? "" : $" {HowToRetry(context, job)}"));

    /// <summary>The error of an attempt that threw. The log has the exception, under the trace id.</summary>
    /// <param name="hasBegun">Whether a worker had begun the work.</param>
    /// <param name="trace">The trace id of the attempt.</param>
    public static JobError FailedIn(bool hasBegun, string trace) => hasBegun
        ? new(CommonProblems.WorkFailed.Name, $"The work failed. The details are in the log, under the trace id {trace}.")
        : new(CommonProblems.InternalError.Name, $"The attempt failed before its work began. The details are in the log, under the trace id {trace}.");

    /// <summary>The same error as the job's result, for the case that the job has no further attempt.</summary>
    public static JobResult FailedIn(HttpContext attempt, Job job, bool hasBegun, string trace)
    {
        JobError error = FailedIn(hasBegun, trace);
        ProblemDetails problem = JobProblems.OfFailure(error.Name).Of(attempt, $"{error.Detail} {HowToRetry(attempt, job)}");
        problem.Extensions["traceId"] = trace;
        return new JobResult(
            StatusCodes.Status500InternalServerError, "application/problem+json",
            JsonSerializer.SerializeToUtf8Bytes(problem, ProblemJson.Readable.ProblemDetails));
    }

    public static IResult AlreadyEnded(HttpContext context, Job job) => JobProblem.Of(
        context, JobProblems.Finished, $"The job has {HowItEnded(job)} already: there is nothing to cancel.");

    public static IResult CannotRetry(HttpContext context, JobState before) => JobProblem.Of(
        context, JobProblems.NotRetryable,
        before switch
        {
            JobState.Queued => "The job is already queued. It does not need to be retried.",
            JobState.Running => "The job is running: wait for its end.",
            JobState.Succeeded => "The job has succeeded: there is nothing to retry. Send the request again for another job.",
            _ => "The job is past its retention, and its request is gone. Send the request again for another job.",
        });

    private static string HowItEnded(Job job) => job.State switch
    {
        JobState.Cancelled => "been cancelled",
        _ => job.State.ToWord(),
    };

    private static string HowToRetry(HttpContext context, Job job) => $"To have it run again, POST {JobLinks.Path(context, job.Id)}:retry.";
}
