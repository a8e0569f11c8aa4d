using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using PoolApi.Jobs.AspNetCore.Problems;

namespace PoolApi.Jobs.AspNetCore.Answers;

/// <summary>What can be wrong with a request for a job that exists or does not.</summary>
internal static class JobProblems
{
    public const string NotFinished = "job-not-finished";
    public const string ResultGone = "job-result-gone";
    public const string Cancelled = "job-cancelled";
    public const string Expired = "job-expired";
    public const string Finished = "job-finished";
    public const string NotRetryable = "job-not-retryable";
    public const string WorkFailed = "work-failed";
    public const string NotBegun = "internal-error";
    public const string ResultTooLarge = "result-too-large";
    public const string UnknownKind = "unknown-kind";

    /// <summary>The same words whether it never was, is another client's, or is gone: nobody learns of another's jobs.</summary>
    public static IResult None(HttpContext context) => JobProblem.Of(
        context, StatusCodes.Status404NotFound,
        "There is no such job for you here. Look at its id, as it was given in Location; a job is gone altogether some time after its retention.");

    public static IResult NotYet(HttpContext context, Job job)
    {
        JobRetryAfter.Tell(context, job);
        return JobProblem.Of(
            context, StatusCodes.Status409Conflict,
            $"The job is {job.State.ToWord()} and has no result yet. Ask again after the time in Retry-After, or wait for it: "
            + $"GET {JobLinks.Path(context, job.Id)} with 'Prefer: wait=30', or GET {JobLinks.Path(context, job.Id)}/events.",
            NotFinished);
    }

    public static IResult Gone(HttpContext context) => JobProblem.Of(
        context, StatusCodes.Status410Gone, "The job is past its retention, and its result is gone. Send the request again.", ResultGone);

    public static IResult WasCancelled(HttpContext context, Job job) => JobProblem.Of(
        context, StatusCodes.Status409Conflict, $"The job was cancelled and has no result. {HowToRetry(context, job)}", Cancelled);

    public static IResult HasExpired(HttpContext context, Job job) => JobProblem.Of(
        context, StatusCodes.Status409Conflict, $"The job did not end before its deadline and has no result. {HowToRetry(context, job)}", Expired);

    public static IResult HasFailed(HttpContext context, Job job) => JobProblem.Of(
        context, StatusCodes.Status500InternalServerError,
        // What is too large once is so again.
        (job.Error?.Detail ?? "The work failed. The details are in the log.") + (job.Error?.Name == ResultTooLarge ? "" : $" {HowToRetry(context, job)}"),
        job.Error?.Name ?? WorkFailed);

    /// <summary>What is kept of an attempt that threw: the log has more, under the trace of the attempt.</summary>
    /// <param name="hasBegun">Whether a worker had begun with the work.</param>
    /// <param name="trace">The trace.</param>
    public static JobError FailedIn(bool hasBegun, string trace) => hasBegun
        ? new(WorkFailed, $"The work failed. The details are in the log, under the trace id {trace}.")
        : new(NotBegun, $"The attempt failed before its work began. The details are in the log, under the trace id {trace}.");

    /// <summary>The same as the result of the job, if it is not tried again.</summary>
    public static JobResult FailedIn(HttpContext attempt, Job job, bool hasBegun, string trace)
    {
        JobError error = FailedIn(hasBegun, trace);
        ProblemDetails problem = JobProblem.Of(
            attempt, StatusCodes.Status500InternalServerError, $"{error.Detail} {HowToRetry(attempt, job)}", error.Name).Details;
        problem.Extensions["traceId"] = trace;
        return new JobResult(
            StatusCodes.Status500InternalServerError, "application/problem+json",
            JsonSerializer.SerializeToUtf8Bytes(problem, KeptProblemJson.Readable.ProblemDetails));
    }

    public static IResult HasEnded(HttpContext context, Job job) => JobProblem.Of(
        context, StatusCodes.Status409Conflict, $"The job has {HowItEnded(job)} already: there is nothing to cancel.", Finished);

    public static IResult CannotRetry(HttpContext context, JobState before) => JobProblem.Of(
        context, StatusCodes.Status409Conflict,
        before switch
        {
            JobState.Queued => "The job is queued: it will be run without being retried.",
            JobState.Running => "The job is running: wait for its end.",
            JobState.Succeeded => "The job has succeeded: there is nothing to retry. Send the request again for another job.",
            _ => "The job is past its retention, and what it was to run is gone. Send the request again for another job.",
        },
        NotRetryable);

    private static string HowItEnded(Job job) => job.State switch
    {
        JobState.Cancelled => "been cancelled",
        _ => job.State.ToWord(),
    };

    private static string HowToRetry(HttpContext context, Job job) => $"To have it run again, POST {JobLinks.Path(context, job.Id)}:retry.";
}

/// <summary>A problem that is kept as a job's result.</summary>
[JsonSerializable(typeof(ProblemDetails))]
internal sealed partial class KeptProblemJson : JsonSerializerContext
{
    /// <summary>Quotes and signs as they are, not as \uXXXX: people read this, and nothing puts it into HTML.</summary>
    public static KeptProblemJson Readable { get; } = new(new JsonSerializerOptions(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
