namespace PoolApi.Auth;

/// <summary>Marks an endpoint that runs nothing on the pool and needs a key all the same, where keys are asked for.</summary>
internal sealed record NeedsKeyMetadata;
