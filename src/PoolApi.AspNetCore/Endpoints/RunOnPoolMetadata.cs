namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Says of an endpoint that it runs on a pool. In the metadata of every such endpoint, put there by <c>RunOnPool</c>.</summary>
public sealed class RunOnPoolMetadata
{
    internal RunOnPoolMetadata(string? pool, string kind) => (Pool, Kind) = (pool, kind);

    /// <summary>The pool's name; <see langword="null"/>: the first that was added.</summary>
    public string? Pool { get; }

    /// <summary>The kind of the endpoint's work, as metrics and views have it.</summary>
    public string Kind { get; }
}
