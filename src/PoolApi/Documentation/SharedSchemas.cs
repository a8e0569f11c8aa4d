using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace PoolApi.Documentation;

/// <summary>Schemas that stand once in the document, under a name. Generators name the types of a client after them.</summary>
internal static class SharedSchemas
{
    /// <summary>One of a few words.</summary>
    /// <param name="document">The document.</param>
    /// <param name="name">The schema's name.</param>
    /// <param name="words">The words.</param>
    /// <param name="usual">The default where it is used, if it has one there.</param>
    /// <param name="description">What it means where it is used, if that is not said elsewhere.</param>
    public static IOpenApiSchema Choice(
        OpenApiDocument document, string name, IEnumerable<string> words, string? usual = null, string? description = null)
    {
        OpenApiSchemaReference shared = Share(
            document, name, new OpenApiSchema { Type = JsonSchemaType.String, Enum = [.. words.Select(static w => (JsonNode)w)] });
        if (usual is not null) shared.Default = usual;
        if (description is not null) shared.Description = description;
        return shared;
    }

    /// <summary>A reference to a schema, which the document has from now on.</summary>
    public static OpenApiSchemaReference Share(OpenApiDocument document, string name, IOpenApiSchema schema)
    {
        document.AddComponent(name, schema);
        return new OpenApiSchemaReference(name, document);
    }

    /// <summary>A number is written as a number, never as a text of digits.</summary>
    public static void KeepNumbers(OpenApiSchema schema)
    {
        if (schema.Type is not { } type || (type & (JsonSchemaType.Integer | JsonSchemaType.Number)) == 0 || !type.HasFlag(JsonSchemaType.String)) return;
        schema.Type = type & ~JsonSchemaType.String;
        schema.Pattern = null;
    }
}
