namespace PoolApi.Auth;

/// <summary>Marks an endpoint that runs nothing on the pool and needs a key nevertheless.</summary>
internal sealed record NeedsKeyMetadata;
