namespace PoolApi.Jobs.AspNetCore.Handlers;

/// <summary>A handler of jobs from code, as it was registered.</summary>
/// <param name="Kind">The kind of its jobs.</param>
/// <param name="Payload">The type of what it is given.</param>
/// <param name="Handler">What runs.</param>
/// <param name="Pool">Where it runs; <see langword="null"/>: on <see cref="JobsOptions.Pool"/>.</param>
/// <param name="Configure">How its jobs run.</param>
internal sealed record JobHandler(string Kind, Type Payload, Delegate Handler, string? Pool, Action<AllowJobsOptions>? Configure);
