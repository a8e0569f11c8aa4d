namespace PoolApi.Jobs.AspNetCore;

/// <summary>Under which names an app collects what jobs tell of themselves.</summary>
public static class JobTelemetry
{
    /// <summary>The source of the spans: one for each attempt.</summary>
    public const string ActivitySourceName = "PoolApi.Jobs";
}
