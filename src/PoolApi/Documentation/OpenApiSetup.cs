using Microsoft.AspNetCore.Mvc;
using Microsoft.OpenApi;
using PoolApi.JobRoutes;

namespace PoolApi.Documentation;

/// <summary><c>GET /openapi/v1.json</c>: every route with every answer.</summary>
internal static class OpenApiSetup
{
    public static void AddDocumentation(this IServiceCollection services, bool asksForKeys) => services.AddOpenApi("v1", options =>
    {
        options.AddSchemaTransformer(static (schema, context, _) =>
        {
            if (context.JsonTypeInfo.Type == typeof(ProblemDetails)) RouteDocs.AddProblemMembers(schema);
            if (context.JsonTypeInfo.Type == typeof(JobView)) JobDocs.CompleteJob(schema);
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
                    + "whose type is urn:poolapi:problem:NAME.",
            };
            // The document does not depend on who asks for it, or how.
            document.Servers = null;
            // Where there is HEAD, it is GET without the body: nobody has to read that twice.
            foreach (IOpenApiPathItem path in document.Paths.Values) path.Operations?.Remove(HttpMethod.Head);
            // Here and not in an operation transformer: those of the routes themselves come after it.
            foreach (OpenApiOperation operation in document.Paths.Values.SelectMany(static path => path.Operations ?? []).Select(static o => o.Value))
            {
                if (asksForKeys) KeyDocs.AddTo(operation, document);
                RouteDocs.AddCommon(operation);
            }
            return Task.CompletedTask;
        });
    });
}
