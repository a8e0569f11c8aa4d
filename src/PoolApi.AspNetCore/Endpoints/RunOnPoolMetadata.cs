namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Marks an endpoint that runs on a pool. <c>RunOnPool</c> adds it to the metadata.</summary>
public sealed class RunOnPoolMetadata
{
    internal RunOnPoolMetadata(string? pool, string kind) => (Pool, Kind) = (pool, kind);

    /// <summary>The pool's name; <see langword="null"/>: the pool that was added first.</summary>
    public string? Pool { get; }

    /// <summary>The kind of the endpoint's work in metrics and views.</summary>
    public string Kind { get; }
}
