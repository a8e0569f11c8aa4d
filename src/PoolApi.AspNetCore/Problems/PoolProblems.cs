namespace PoolApi.AspNetCore.Problems;

/// <summary>The problem types of this project: the reasons why a request gets a problem instead of its work's result.</summary>
internal static class PoolProblems
{
    public static readonly ProblemType QueueFull = new("queue-full", 503, "The queue is full", "the queue has no room", ProblemRetry.Later);

    public static readonly ProblemType Quota = new("quota", 429, "The quota is used up", "this client has as much in the pool as it may", ProblemRetry.Later);

    public static readonly ProblemType Expired = new("expired", 503, "Waited too long", "the request waited for longer than `MaxQueueTime`", ProblemRetry.Later);

    public static readonly ProblemType NotStarted = new(
        "not-started", 503, "Not started", "the instance stopped before a worker was free", ProblemRetry.Later);

    public static readonly ProblemType StateUnknown = new(
        "state-unknown", 503, "Interrupted", "the instance stopped while the work was under way", ProblemRetry.Unknown);

    public static IReadOnlyList<ProblemType> All { get; } =
    [
        QueueFull, CommonProblems.Overloaded, Quota, Expired, CommonProblems.Draining, NotStarted, StateUnknown, CommonProblems.RunTimeout,
        CommonProblems.InvalidRequest, CommonProblems.Forbidden, CommonProblems.PayloadTooLarge,
    ];
}
