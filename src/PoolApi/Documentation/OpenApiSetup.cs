using Microsoft.AspNetCore.Mvc;
using Microsoft.OpenApi;

namespace PoolApi.Documentation;

/// <summary><c>GET /openapi/v1.json</c>: every route with every response.</summary>
internal static class OpenApiSetup
{
    /// <param name="services">The services.</param>
    /// <param name="asksForKeys">Whether requests for work need an API key.</param>
    /// <param name="tags">What each tag of the routes stands for.</param>
    public static void AddDocumentation(
        this IServiceCollection services, bool asksForKeys, params (string Name, string Description)[] tags) => services.AddOpenApi("v1", options =>
    {
        options.AddSchemaTransformer(static (schema, context, _) =>
        {
            SharedSchemas.KeepNumbers(schema);
            if (context.JsonTypeInfo.Type == typeof(ProblemDetails)) RouteDocs.AddProblemMembers(schema);
            return Task.CompletedTask;
        });
        options.AddOperationTransformer(static (operation, context, _) =>
        {
            RouteDocs.Mark(operation, context.Description.ActionDescriptor.EndpointMetadata);
            return Task.CompletedTask;
        });
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "PoolApi",
                Version = "v1",
                Description = "HTTP work on its own fixed threads, with a bounded queue in front. Errors are problem details (RFC 9457) "
                    + $"whose type is {ProblemType.Prefix}NAME.",
                License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
            };
            document.Servers = [Server(document.Servers)];
            foreach (OpenApiTag tag in document.Tags ?? new HashSet<OpenApiTag>()) tag.Description ??= Array.Find(tags, t => t.Name == tag.Name).Description;
            // HEAD is GET without the body: the document lists GET only.
            foreach (IOpenApiPathItem path in document.Paths.Values) path.Operations?.Remove(HttpMethod.Head);
            // Here and not in an operation transformer, which would run before those of the routes.
            foreach (OpenApiOperation operation in document.Paths.Values.SelectMany(static path => path.Operations ?? []).Select(static o => o.Value))
            {
                // An empty list means that no key is needed; without a list, a reader of the document would have to guess.
                operation.Security = [];
                if (asksForKeys) KeyDocs.AddTo(operation, document);
                RouteDocs.AddCommon(operation);
            }
            return Task.CompletedTask;
        });
    });

    /// <summary>
    /// Where the service is, as seen from the document: on the same host, below the same prefix. The host that the request names is
    /// left out, so that the document does not depend on who asks for it.
    /// </summary>
    private static OpenApiServer Server(IList<OpenApiServer>? asAsked) => new()
    {
        Url = asAsked is [{ Url: { } url }, ..]
            && Uri.TryCreate(url, UriKind.Absolute, out Uri? address)
            && address.AbsolutePath.TrimEnd('/') is { Length: > 0 } prefix
                ? prefix
                : "/",
    };
}
