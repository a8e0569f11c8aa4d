namespace PoolApi.Jobs.AspNetCore.Handlers;

/// <summary>A handler that the app has registered with <c>AddJob</c>. It runs the jobs of one kind, which the app's code enqueues.</summary>
/// <param name="Kind">The kind of its jobs.</param>
/// <param name="Payload">The type of the payload.</param>
/// <param name="Handler">The app's delegate.</param>
/// <param name="Pool">The name of its pool; <see langword="null"/>: <see cref="JobsOptions.Pool"/>.</param>
/// <param name="Configure">Sets the options of its jobs; <see langword="null"/>: the defaults.</param>
internal sealed record JobHandler(string Kind, Type Payload, Delegate Handler, string? Pool, Action<AllowJobsOptions>? Configure);
