using Microsoft.OpenApi;
using PoolApi.Auth;

namespace PoolApi.Documentation;

/// <summary>Describes in OpenAPI which requests need a key, and where clients send it.</summary>
internal static class KeyDocs
{
    private const string BearerScheme = "bearer";
    private const string HeaderScheme = "apiKey";

    public static void AddTo(OpenApiOperation operation, OpenApiDocument document)
    {
        if (!RouteDocs.NeedsKey(operation)) return;
        IDictionary<string, IOpenApiSecurityScheme> schemes =
            (document.Components ??= new OpenApiComponents()).SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
        schemes[BearerScheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "The client's key." };
        schemes[HeaderScheme] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Header,
            Name = ApiKeys.Header,
            Description = "The client's key.",
        };
        // A request needs only one of the two schemes.
        operation.Security =
        [
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(BearerScheme, document)] = [] },
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(HeaderScheme, document)] = [] },
        ];
        operation.Responses!["401"] = new OpenApiResponse
        {
            Content = operation.Responses["503"].Content,
            Headers = new Dictionary<string, IOpenApiHeader>
            {
                ["WWW-Authenticate"] = new OpenApiHeader { Description = "Bearer", Schema = new OpenApiSchema { Type = JsonSchemaType.String } },
            },
        };
    }
}
