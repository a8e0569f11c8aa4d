namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Says on which pool an endpoint runs.</summary>
/// <param name="Pool">The pool's name; <see langword="null"/> for the app's first.</param>
/// <param name="Kind">The kind of its work in metrics and views; <see langword="null"/> for its route without <c>/v1/</c>.</param>
public sealed record RunOnPoolMetadata(string? Pool, string? Kind);
