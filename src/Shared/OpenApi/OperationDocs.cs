using Microsoft.OpenApi;

namespace PoolApi.Documentation;

// Describes what a route reads and answers in OpenAPI, where the handler's signature does not show it.
// No XML documentation here: the OpenAPI package reads that of referenced projects too, and fails where a member is in two of them.
internal static class OperationDocs
{
    // The operation's id: what generators name the method of a client after.
    // builder: The route.
    // id: The id. No other operation has it.
    // byPost: The id of the same route's POST, where the route has two methods.
    public static RouteHandlerBuilder WithOperationId(this RouteHandlerBuilder builder, string id, string? byPost = null) =>
        builder.AddOpenApiOperationTransformer((operation, context, _) =>
        {
            operation.OperationId = byPost is not null && context.Description.HttpMethod == HttpMethods.Post ? byPost : id;
            return Task.CompletedTask;
        });

    // Problems that the route may answer, beside those of the pool: each status with what its problems mean, and with Retry-After.
    public static RouteHandlerBuilder WithProblems(this RouteHandlerBuilder builder, params ProblemType[] problems)
    {
        foreach (IGrouping<int, ProblemType> status in problems.GroupBy(static problem => problem.Status))
        {
            builder.ProducesProblem(status.Key).WithMeaning(status.Key, ProblemType.Describe(status));
            if (status.Any(static problem => problem.Retry == ProblemRetry.Later))
                builder.AddOpenApiOperationTransformer((operation, _, _) => AddRetryAfter(operation, status.Key));
        }
        return builder;
    }

    // A successful response of raw bytes.
    public static RouteHandlerBuilder WithBinaryResponse(this RouteHandlerBuilder builder, string description, params string[] contentTypes) =>
        builder.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            (operation.Responses ??= [])["200"] = new OpenApiResponse
            {
                Description = description,
                Content = contentTypes.ToDictionary(static type => type, static _ => new OpenApiMediaType { Schema = Binary() }),
            };
            return Task.CompletedTask;
        });

    // Describes a response of this route whose meaning differs from the common one, and its headers.
    public static RouteHandlerBuilder WithMeaning(
        this RouteHandlerBuilder builder, int status, string description, params (string Name, string Description)[] headers) =>
        builder.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            string key = status.ToString(System.Globalization.CultureInfo.InvariantCulture);
            OpenApiResponses responses = operation.Responses ??= [];
            if (!responses.TryGetValue(key, out IOpenApiResponse? response)) responses[key] = response = new OpenApiResponse();
            if (response is not OpenApiResponse described) return Task.CompletedTask;
            described.Description = description;
            foreach (var (name, meaning) in headers)
            {
                (described.Headers ??= new Dictionary<string, IOpenApiHeader>())[name] = new OpenApiHeader
                {
                    Description = meaning,
                    Schema = new OpenApiSchema { Type = JsonSchemaType.String },
                };
            }
            return Task.CompletedTask;
        });

    // Adds the header Retry-After to a response that the operation already has.
    public static Task AddRetryAfter(OpenApiOperation operation, int status)
    {
        if (operation.Responses?.GetValueOrDefault(status.ToString(System.Globalization.CultureInfo.InvariantCulture)) is OpenApiResponse response)
        {
            (response.Headers ??= new Dictionary<string, IOpenApiHeader>())["Retry-After"] = new OpenApiHeader
            {
                Description = "Seconds after which it is worth trying again; absent where trying again may not be safe.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.Integer },
            };
        }
        return Task.CompletedTask;
    }

    // The parameters of the route.
    // metadata: Makes the metadata by which an endpoint declares that it reads a query parameter.
    public static RouteHandlerBuilder WithParameters(this RouteHandlerBuilder builder, Func<string, object> metadata, IReadOnlyList<RequestParameter> parameters)
    {
        foreach (RequestParameter parameter in parameters.Where(static p => p.IsInQuery)) builder.WithMetadata(metadata(parameter.Name));
        return builder.AddOpenApiOperationTransformer((operation, context, _) =>
        {
            foreach (RequestParameter parameter in parameters) (operation.Parameters ??= []).Add(parameter.ToOpenApi(context.Document!));
            return Task.CompletedTask;
        });
    }

    // Any bytes.
    public static OpenApiSchema Binary() => new() { Type = JsonSchemaType.String, Format = "binary" };
}
