using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace PoolApi.Documentation;

// Schemas that the document has once, under a name. Generators name the types of a client after them.
// No XML documentation here: the OpenAPI package reads that of referenced projects too, and fails where a member is in two of them.
internal static class SharedSchemas
{
    // One of a few words.
    // document: The document.
    // name: The schema's name.
    // words: The words.
    // usual: The default of this use, if there is one.
    // description: The meaning of this use, if nothing else describes it.
    public static IOpenApiSchema Choice(
        OpenApiDocument document, string name, IEnumerable<string> words, string? usual = null, string? description = null)
    {
        OpenApiSchemaReference shared = Share(
            document, name, new OpenApiSchema { Type = JsonSchemaType.String, Enum = [.. words.Select(static w => (JsonNode)w)] });
        if (usual is not null) shared.Default = usual;
        if (description is not null) shared.Description = description;
        return shared;
    }

    // Adds a schema to the document, and returns a reference to it.
    public static OpenApiSchemaReference Share(OpenApiDocument document, string name, IOpenApiSchema schema)
    {
        document.AddComponent(name, schema);
        return new OpenApiSchemaReference(name, document);
    }

    // A number is written as a number, never as a text of digits.
    public static void KeepNumbers(OpenApiSchema schema)
    {
        if (schema.Type is not { } type || (type & (JsonSchemaType.Integer | JsonSchemaType.Number)) == 0 || !type.HasFlag(JsonSchemaType.String)) return;
        schema.Type = type & ~JsonSchemaType.String;
        schema.Pattern = null;
    }
}
