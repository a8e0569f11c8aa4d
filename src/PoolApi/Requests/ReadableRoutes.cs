namespace PoolApi.Requests;

/// <summary>Routes where <c>HEAD</c> is whatever <c>GET</c> is: the same work and the same headers, without the body (RFC 9110, 9.3.2).</summary>
internal static class ReadableRoutes
{
    private static readonly string[] Reading = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>A group in which every route that answers GET answers HEAD too. The server leaves the body out.</summary>
    public static RouteGroupBuilder MapReadable(this IEndpointRouteBuilder endpoints)
    {
        RouteGroupBuilder group = endpoints.MapGroup("");
        // In the end: a route's own methods come after the conventions of its group.
        ((IEndpointConventionBuilder)group).Finally(static endpoint => AddHead(endpoint.Metadata));
        return group;
    }

    /// <summary>For a route that its maker mapped for every method, although it only reads.</summary>
    public static TBuilder OnlyReads<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new HttpMethodMetadata(Reading));

    private static void AddHead(IList<object> metadata)
    {
        for (int i = 0; i < metadata.Count; i++)
        {
            if (metadata[i] is IHttpMethodMetadata { HttpMethods: var methods } said
                && methods.Contains(HttpMethods.Get, StringComparer.OrdinalIgnoreCase) && !methods.Contains(HttpMethods.Head, StringComparer.OrdinalIgnoreCase))
            {
                metadata[i] = new HttpMethodMetadata([.. methods, HttpMethods.Head], said.AcceptCorsPreflight);
            }
        }
    }
}
