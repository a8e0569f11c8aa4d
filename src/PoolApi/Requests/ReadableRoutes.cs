namespace PoolApi.Requests;

/// <summary>Lets routes that answer <c>GET</c> answer <c>HEAD</c> too: the same work and headers, without the body (RFC 9110, 9.3.2).</summary>
internal static class ReadableRoutes
{
    private static readonly string[] GetAndHead = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>A group in which every route that answers GET answers HEAD too. The server leaves the body out.</summary>
    public static RouteGroupBuilder MapReadable(this IEndpointRouteBuilder endpoints)
    {
        RouteGroupBuilder group = endpoints.MapGroup("");
        // Finally, because a route's own methods are added after the conventions of its group.
        ((IEndpointConventionBuilder)group).Finally(static endpoint => AddHead(endpoint.Metadata));
        return group;
    }

    /// <summary>Limits a route of a package to GET and HEAD, if it was mapped for every method.</summary>
    public static TBuilder OnlyReads<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new HttpMethodMetadata(GetAndHead));

    private static void AddHead(IList<object> metadata)
    {
        for (int i = 0; i < metadata.Count; i++)
        {
            if (metadata[i] is IHttpMethodMetadata { HttpMethods: var methods } declared
                && methods.Contains(HttpMethods.Get, StringComparer.OrdinalIgnoreCase) && !methods.Contains(HttpMethods.Head, StringComparer.OrdinalIgnoreCase))
            {
                metadata[i] = new HttpMethodMetadata([.. methods, HttpMethods.Head], declared.AcceptCorsPreflight);
            }
        }
    }
}
