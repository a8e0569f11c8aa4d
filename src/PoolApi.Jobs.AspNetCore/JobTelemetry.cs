namespace PoolApi.Jobs.AspNetCore;

/// <summary>The names under which an app collects the telemetry of jobs.</summary>
public static class JobTelemetry
{
    /// <summary>The source of the spans: one where a job is accepted, and one for each attempt.</summary>
    public const string ActivitySourceName = "PoolApi.Jobs";
}
