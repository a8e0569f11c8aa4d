namespace PoolApi.Jobs.AspNetCore.Problems;

/// <summary>
/// The catalogue of this room's problems: why a request becomes no job, why a job cannot be found or changed, and why it has no result. A
/// job's <c>error</c> has the same names.
/// </summary>
internal static class JobProblems
{
    public static readonly ProblemType ResultTooLarge = new(
        "result-too-large", 500, "The result is too large", "the job failed: its response is larger than `MaxResultBytes`");

    public static readonly ProblemType Poison = new(
        JobError.Poison.Name, 500, "The job's instance died too often", "the job failed: its instance died more than `MaxRedeliveries` times while it ran no other job");

    public static readonly ProblemType UnknownKind = new(
        "unknown-kind", 500, "The job's kind is unknown", "the job failed: no instance that tried it runs jobs of its kind");

    public static readonly ProblemType NotFinished = new(
        "job-not-finished", 409, "The job has not finished", "the job has no result yet", ProblemRetry.Later);

    public static readonly ProblemType Cancelled = new("job-cancelled", 409, "The job was cancelled", "the job was cancelled, and has no result");

    public static readonly ProblemType Expired = new(
        "job-expired", 409, "The job has expired", "the job did not end before its deadline, and has no result");

    public static readonly ProblemType Finished = new("job-finished", 409, "The job has finished", "the job has ended, and cannot be cancelled");

    public static readonly ProblemType NotRetryable = new(
        "job-not-retryable", 409, "The job cannot be retried", "the job has not ended, or has succeeded, or is past its retention");

    public static readonly ProblemType ResultGone = new("job-result-gone", 410, "Gone", "the job is past its retention");

    public static readonly ProblemType KeyInProgress = new(
        "idempotency-key-in-progress", 409, "The first request is not answered yet", "the first request under this `Idempotency-Key` still runs",
        ProblemRetry.Later);

    public static readonly ProblemType KeyReused = new(
        "idempotency-key-reused", 422, "The Idempotency-Key belongs to another request", "this `Idempotency-Key` belongs to another request");

    public static readonly ProblemType NotFound = CommonProblems.NotFound with { When = "there is no such job for this client" };

    public static IReadOnlyList<ProblemType> All { get; } =
    [
        ResultTooLarge, Poison, UnknownKind, CommonProblems.WorkFailed, CommonProblems.InternalError, CommonProblems.RunTimeout,
        NotFinished, Cancelled, Expired, Finished, NotRetryable, ResultGone, KeyInProgress, KeyReused,
        CommonProblems.StoreUnavailable, CommonProblems.Overloaded, CommonProblems.Draining,
        CommonProblems.InvalidRequest, CommonProblems.Unauthorized, NotFound, CommonProblems.MethodNotAllowed, CommonProblems.PayloadTooLarge,
    ];

    /// <summary>Why a job failed, by the name that is stored with it. The response is 500, independent of the attempt's status.</summary>
    /// <remarks>An app's work can fail with a problem of its own, which this catalogue does not have. It keeps its name.</remarks>
    public static ProblemType OfFailure(string? stored)
    {
        ProblemType type = All.FirstOrDefault(each => each.Name == stored)
            ?? CommonProblems.WorkFailed with { Name = stored ?? CommonProblems.WorkFailed.Name };
        return type with { Status = StatusCodes.Status500InternalServerError };
    }
}
