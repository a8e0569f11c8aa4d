namespace PoolApi.Requests;

/// <summary>Says of an endpoint that it reads a query parameter. An endpoint has one for each parameter.</summary>
/// <param name="Name">The parameter's name; case does not matter.</param>
internal sealed record QueryParameterMetadata(string Name);
