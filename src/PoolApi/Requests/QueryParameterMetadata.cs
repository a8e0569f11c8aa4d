namespace PoolApi.Requests;

/// <summary>Declares a query parameter of an endpoint. An endpoint has one for each parameter that it reads.</summary>
/// <param name="Name">The parameter's name; case does not matter.</param>
internal sealed record QueryParameterMetadata(string Name);
