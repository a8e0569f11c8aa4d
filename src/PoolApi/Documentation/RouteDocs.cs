using System.Globalization;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.OpenApi;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Problems;
using PoolApi.Auth;
using PoolApi.Problems;
using PoolApi.Requests;

namespace PoolApi.Documentation;

/// <summary>Describes to OpenAPI what the signature of a handler does not show.</summary>
internal static class RouteDocs
{
    private const string PoolMark = "poolapi-runs-on-pool";
    private const string KeyMark = "poolapi-needs-key";

    /// <summary>The parameters of the route. A request with another query parameter is refused.</summary>
    public static RouteHandlerBuilder WithParameters(this RouteHandlerBuilder builder, params RequestParameter[] parameters) =>
        builder.WithParameters(static name => new QueryParameterMetadata(name), parameters);

    /// <summary>A successful response of text. Needed on a route with declared problems: the document would list no success.</summary>
    public static RouteHandlerBuilder WithTextResponse(this RouteHandlerBuilder builder) =>
        builder.Produces<string>(StatusCodes.Status200OK, "text/plain");

    /// <summary>A request body of raw bytes.</summary>
    public static RouteHandlerBuilder WithBinaryBody(
        this RouteHandlerBuilder builder, string description, Func<HttpContext, IResult?> refuseType, params string[] contentTypes) =>
        builder.WithMetadata(new RequestBodyMetadata(refuseType)).AddOpenApiOperationTransformer((operation, _, _) =>
        {
            operation.RequestBody = new OpenApiRequestBody
            {
                Description = description,
                Required = true,
                Content = contentTypes.ToDictionary(static type => type, static _ => new OpenApiMediaType { Schema = OperationDocs.Binary() }),
            };
            return Task.CompletedTask;
        });

    /// <summary>A request body of JSON. (Accepts() would also have routing refuse other media, without a word about the field.)</summary>
    public static RouteHandlerBuilder WithJsonBody<T>(this RouteHandlerBuilder builder) =>
        builder.WithMetadata(new RequestBodyMetadata(JsonBody.RefuseType)).AddOpenApiOperationTransformer(static async (operation, context, cancellation) => operation.RequestBody = new OpenApiRequestBody
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/json"] = new()
                {
                    Schema = SharedSchemas.Share(
                        context.Document!, typeof(T).Name, await context.GetOrCreateSchemaAsync(typeof(T), cancellationToken: cancellation)),
                },
            },
        });

    /// <summary>Copies marks of the endpoint to the operation, for the transformer of the whole document.</summary>
    public static void Mark(OpenApiOperation operation, IList<object> metadata)
    {
        bool onPool = metadata.Any(static m => m is RunOnPoolMetadata);
        operation.Metadata ??= new Dictionary<string, object>();
        if (onPool) operation.Metadata[PoolMark] = true;
        if (onPool || metadata.Any(static m => m is NeedsKeyMetadata)) operation.Metadata[KeyMark] = true;
    }

    /// <summary>Whether it is a request for work.</summary>
    public static bool RunsOnPool(OpenApiOperation operation) => operation.Metadata?.ContainsKey(PoolMark) == true;

    /// <summary>Whether it needs a key, if the service has keys.</summary>
    public static bool NeedsKey(OpenApiOperation operation) => operation.Metadata?.ContainsKey(KeyMark) == true;

    /// <summary>
    /// Adds the timing header to a successful response, and a description to each problem response that the route does not describe itself.
    /// </summary>
    public static void AddCommon(OpenApiOperation operation)
    {
        foreach ((string status, IOpenApiResponse documented) in operation.Responses ?? [])
        {
            if (documented is not OpenApiResponse response) continue;
            if (status == "200" && RunsOnPool(operation))
            {
                (response.Headers ??= new Dictionary<string, IOpenApiHeader>())["Server-Timing"] = new OpenApiHeader
                {
                    Description = "queue;dur: milliseconds it waited, run;dur: milliseconds it ran, worker;desc: the worker that ran it",
                    Schema = new OpenApiSchema { Type = JsonSchemaType.String },
                };
            }
            if (!int.TryParse(status, CultureInfo.InvariantCulture, out int number)) continue; // default
            // A description by the route itself takes precedence.
            if (!string.IsNullOrEmpty(response.Description) && response.Description != ReasonPhrases.GetReasonPhrase(number)) continue;
            IEnumerable<ProblemType> possible = RunsOnPool(operation) ? PoolProblems.All.Concat(ServiceProblems.All) : ServiceProblems.All;
            if (operation.Responses!.ContainsKey("202")) possible = possible.Append(CommonProblems.StoreUnavailable);
            ProblemType[] problems = [.. possible.Where(problem => problem.Status == number).Distinct()];
            if (problems.Length == 0) continue;
            response.Description = ProblemType.Describe(problems);
            if (problems.Any(static p => p.Retry == ProblemRetry.Later)) _ = OperationDocs.AddRetryAfter(operation, number);
        }
    }

    /// <summary>What our problem details have beyond RFC 9457's own members.</summary>
    public static void AddProblemMembers(OpenApiSchema schema)
    {
        schema.Properties ??= new Dictionary<string, IOpenApiSchema>();
        // Kiota takes the message of its exception from this member.
        if (schema.Properties.TryGetValue("detail", out IOpenApiSchema? detail) && detail is OpenApiSchema message)
            (message.Extensions ??= new Dictionary<string, IOpenApiExtension>())["x-ms-primary-error-message"] = new JsonNodeExtension(true);
        schema.Properties["traceId"] = new OpenApiSchema
        {
            Type = JsonSchemaType.String,
            Description = "The trace that the request belongs to; the log names it too.",
        };
        schema.Properties["errors"] = new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Description = "For each field that is wrong, what is wrong and what it must be.",
            AdditionalProperties = new OpenApiSchema
            {
                Type = JsonSchemaType.Array,
                Items = new OpenApiSchema { Type = JsonSchemaType.String },
            },
        };
    }
}
