namespace PoolApi.AspNetCore;

/// <summary>A pool that the app asked for, and where its settings are.</summary>
internal sealed record PoolRegistration(string Name, string Section);
