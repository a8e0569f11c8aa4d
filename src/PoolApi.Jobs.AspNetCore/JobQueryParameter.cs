namespace PoolApi.Jobs.AspNetCore;

/// <summary>
/// Says of an endpoint that jobs read a query parameter of its requests. An endpoint has one for each parameter. For an app that refuses
/// parameters which an endpoint does not know.
/// </summary>
/// <param name="Name">The parameter's name; case does not matter.</param>
public sealed record JobQueryParameter(string Name);
