using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Problems;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>The problems that answer a request under an idempotency key, in place of its job's result.</summary>
internal static class IntakeRejections
{
    /// <summary>409, as the draft of the header has it.</summary>
    public static IResult KeyInProgress(HttpContext context, Job job)
    {
        JobRetryAfter.SetHeader(context, job);
        return JobProblem.Of(
            context, JobProblems.KeyInProgress,
            $"The first request under this Idempotency-Key has not been answered yet. Send it again after the time in Retry-After, or look at {JobLinks.Path(context, job.Id)}.");
    }

    /// <summary>503: the job is stored, and this instance stops before it runs the job.</summary>
    public static IResult Draining(HttpContext context) => JobProblem.Later(
        context, CommonProblems.Draining,
        "This instance is stopping. The request is accepted under its Idempotency-Key, and runs once: send it again with the same key, on a new connection.",
        seconds: 1);

    /// <summary>422, as the draft of the header has it.</summary>
    public static IResult KeyReused(HttpContext context) => JobProblem.Of(
        context, JobProblems.KeyReused,
        "This Idempotency-Key belongs to another request: another method, path, query, content type, body, kept header or user. Nothing was accepted. Send each request with a key of its own.");
}
