using PoolApi.Jobs;

namespace PoolApi.JobBenchmarks.Stores;

/// <summary>Jobs as clients send them.</summary>
internal static class SampleJobs
{
    public const string NoopPath = "/v1/diagnostics/noop", NoopKind = "diagnostics/noop", ContentType = "application/json";

    /// <summary>A small body.</summary>
    public static readonly byte[] Body =
        """{"order":"2f6a1c1e-7f0b-4a53-9a70-3f1c2d8f5b11","customer":4711,"what":"send the invoice"}"""u8.ToArray();

    /// <summary>A job without work.</summary>
    public static NewJob Noop() => Noop(null);

    /// <summary>A job without work that is not due before the given time.</summary>
    public static NewJob Noop(DateTimeOffset? runAt) => new()
    {
        Kind = NoopKind,
        RunAt = runAt,
        MaxAttempts = 3,
        Payload = new JobPayload(Body, "POST", NoopPath, "", ContentType),
    };
}
