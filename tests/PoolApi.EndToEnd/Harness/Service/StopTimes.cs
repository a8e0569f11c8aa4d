namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>How long the phases of a stop last, for tests that need no other times.</summary>
internal static class StopTimes
{
    /// <summary>The lame duck.</summary>
    public static readonly TimeSpan LameDuck = TimeSpan.FromSeconds(2);

    /// <summary>The deadline of the drain. It is so late that the drain ends with the work, also on a busy machine.</summary>
    public static readonly TimeSpan Drain = TimeSpan.FromMinutes(10);

    /// <summary>The lame duck, as a setting.</summary>
    public static readonly string[] Settings = [$"--Shutdown:LameDuck {LameDuck:c}"];

    /// <summary>The drain, as a setting. Every service under test starts with it, and its own settings come later and win.</summary>
    public static string DrainOnly => $"--Shutdown:Drain {Drain:c}";
}
