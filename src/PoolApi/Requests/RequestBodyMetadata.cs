namespace PoolApi.Requests;

/// <summary>Marks an endpoint that reads the request's body.</summary>
/// <param name="RefuseType">The response to a request whose Content-Type alone shows that its body cannot be used; otherwise <see langword="null"/>.</param>
internal sealed record RequestBodyMetadata(Func<HttpContext, IResult?> RefuseType);
