namespace PoolApi.EndToEnd.Harness;

/// <summary>Tests that measure, or that take all the CPU there is: each runs alone, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Quiet
{
    /// <summary>Its name.</summary>
    public const string Name = "quiet";
}
