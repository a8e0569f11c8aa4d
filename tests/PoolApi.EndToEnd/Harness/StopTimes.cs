namespace PoolApi.EndToEnd.Harness;

/// <summary>How long the parts of a stop last where a test has no reason for other times.</summary>
internal static class StopTimes
{
    /// <summary>The lame duck.</summary>
    public static readonly TimeSpan LameDuck = TimeSpan.FromSeconds(2);

    /// <summary>The drain.</summary>
    public static readonly TimeSpan Drain = TimeSpan.FromSeconds(5);

    /// <summary>Both, as settings.</summary>
    public static readonly string[] Settings = [$"--Shutdown:LameDuck {LameDuck:c}", DrainOnly];

    /// <summary>The drain alone: no lame duck.</summary>
    public static string DrainOnly => $"--Shutdown:Drain {Drain:c}";
}
