namespace PoolApi;

/// <summary>The problem types that several projects answer, so that a name has the same status and title everywhere.</summary>
internal static class CommonProblems
{
    public static readonly ProblemType Overloaded = new(
        "overloaded", 503, "Overloaded",
        "there is no memory, or no room for the body or for the response, or the request would wait too long for clients of the route, which have disconnected before "
        + "(without `Retry-After` the work has run and may have taken effect)",
        ProblemRetry.Later);

    public static readonly ProblemType Draining = new(
        "draining", 503, "Shutting down", "the instance stops, or the app has closed the pool (under an `Idempotency-Key` the request may run later, once)", ProblemRetry.Later);

    public static readonly ProblemType RunTimeout = new(
        "run-timeout", 504, "Ran too long", "the work ran for longer than `MaxRunTime`", ProblemRetry.Unknown);

    public static readonly ProblemType WorkFailed = new(
        "work-failed", 500, "The work failed", "the work had begun, and failed (the log has the details, under the trace id)", ProblemRetry.Unknown);

    public static readonly ProblemType InternalError = new(
        "internal-error", 500, "Internal error", "the request failed, and no work had begun (the log has the details, under the trace id)",
        ProblemRetry.Yes);

    public static readonly ProblemType StoreUnavailable = new(
        "store-unavailable", 503, "The job store is unavailable",
        "the store of the jobs cannot be used (a request that is repeated under its `Idempotency-Key` is accepted once)", ProblemRetry.Later);

    public static readonly ProblemType InvalidRequest = new(
        "invalid-request", 400, "The request is not valid", "a parameter, a header or the body is wrong (`errors` names each field with what it must be)");

    public static readonly ProblemType Unauthorized = new("unauthorized", 401, "The client is not known", "there is no key, or one that no client has");

    public static readonly ProblemType Forbidden = new(
        "forbidden", 403, "Not allowed", "a web page of another site asks for a change, or the client's key or address does not permit the request");

    public static readonly ProblemType NotFound = new("not-found", 404, "Not found", "there is no such route");

    public static readonly ProblemType MethodNotAllowed = new(
        "method-not-allowed", 405, "Method not allowed", "the route exists with the methods in `Allow`");

    public static readonly ProblemType PayloadTooLarge = new("payload-too-large", 413, "The body is too large", "the body is larger than `MaxBodyBytes`, or for a job than `MaxPayloadBytes`");
}
