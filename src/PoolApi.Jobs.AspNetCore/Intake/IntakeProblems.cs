using PoolApi.Jobs.AspNetCore.Answers;
using PoolApi.Jobs.AspNetCore.Problems;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>What can be wrong with a request that would be a job.</summary>
internal static class IntakeProblems
{
    public const string KeyInUse = "idempotency-key-in-progress";
    public const string KeyOfAnother = "idempotency-key-reused";
    public const string Stopping = "draining";

    /// <summary>409, as the draft of the header has it.</summary>
    public static IResult KeyInProgress(HttpContext context, Job job)
    {
        JobRetryAfter.Tell(context, job);
        return JobProblem.Of(
            context, StatusCodes.Status409Conflict,
            $"The first request under this Idempotency-Key has not been answered yet. Send it again after the time in Retry-After, or look at {JobLinks.Path(context, job.Id)}.",
            KeyInUse);
    }

    /// <summary>503: the job waits, and this instance will not run it any more.</summary>
    public static IResult Draining(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        return JobProblem.Of(
            context, StatusCodes.Status503ServiceUnavailable,
            "This instance stops. The request is accepted under its Idempotency-Key, and runs once: send it again with the same key, on a new connection.",
            Stopping);
    }

    /// <summary>422, as the draft of the header has it.</summary>
    public static IResult KeyReused(HttpContext context) => JobProblem.Of(
        context, StatusCodes.Status422UnprocessableEntity,
        "This Idempotency-Key belongs to another request: another method, path, query, content type or body. Nothing was accepted. Send a key of its own for each request.",
        KeyOfAnother);
}
