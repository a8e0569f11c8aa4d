using System.Text;
using PoolApi.Threading;

namespace PoolApi.Jobs.Tests;

/// <summary>Makes jobs for tests.</summary>
internal static class Jobs
{
    public static readonly TimeSpan LongLease = TimeSpan.FromMinutes(10);

    public static NewJob New(
        string kind = "diagnostics/noop", WorkPriority priority = WorkPriority.Normal, DateTimeOffset? runAt = null, TimeSpan? timeout = null,
        int maxAttempts = 1, string? client = null, string[]? tags = null, string? key = null, string fingerprint = "same", string body = "") => new()
        {
            Kind = kind,
            Priority = priority,
            RunAt = runAt,
            Timeout = timeout,
            MaxAttempts = maxAttempts,
            Client = client,
            Tags = tags ?? [],
            Payload = Payload(body, "/v1/" + kind),
            Idempotency = key is null ? null : new IdempotencyKey(key, Encoding.UTF8.GetBytes(fingerprint)),
        };

    public static JobPayload Payload(string body = "", string path = "/v1/diagnostics/noop") =>
        new(Encoding.UTF8.GetBytes(body), "POST", path, "", body.Length == 0 ? null : "text/plain");

    public static JobEnd Success(string body = "done") => new(JobState.Succeeded, new JobResult(200, "text/plain", Encoding.UTF8.GetBytes(body)));

    public static JobEnd Failure(string name = "work-failed") => new(JobState.Failed, null, new JobError(name, "It failed."));

    /// <summary>Now, at a precision that every store keeps.</summary>
    public static DateTimeOffset Now => DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
}
