using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Primitives;
using Microsoft.OpenApi;
using PoolApi.Documentation;

namespace PoolApi;

// No XML documentation here: the OpenAPI package reads that of referenced projects too, and fails where a member is in two of them.

// A query parameter or a header of a route, declared once. Reading it, the text of its faults and OpenAPI come from the declaration.
//
// name: As the client writes it.
// location: In the query or a header.
// description: What it is for.
// schema: The allowed values, for programs.
// isRequired: Whether it must be there.
// example: For a header, whose schema is a plain text.
internal class RequestParameter(
    string name, ParameterLocation location, string description, Func<OpenApiDocument, IOpenApiSchema> schema, bool isRequired = false, string? example = null)
{
    public string Name => name;

    public bool IsInQuery => location == ParameterLocation.Query;

    public string Description => description;

    protected bool IsRequired => isRequired;

    // Whether a request has it, with whatever value.
    public bool IsGivenIn(HttpRequest request) => IsInQuery
        // Reading the query of a request that has none would allocate.
        ? request.QueryString.HasValue && request.Query.ContainsKey(name)
        : request.Headers.ContainsKey(name);

    public StringValues ValuesIn(HttpRequest request) => IsInQuery ? request.Query[name] : request.Headers[name];

    public OpenApiParameter ToOpenApi(OpenApiDocument document) => new()
    {
        Name = name,
        In = location,
        Required = isRequired,
        Description = description,
        Schema = schema(document),
        Example = example is null ? null : JsonValue.Create(example),
    };

    // A header that is read by its own grammar, or by the framework.
    public static RequestParameter Header(string name, string description, string example) =>
        new(name, ParameterLocation.Header, description, _ => PlainText(), example: example);

    // A whole number.
    // usual: The default if the client does not send the parameter; null: none.
    public static RequestParameter<int> WholeNumber(
        string name, string description, int min, int max, bool isRequired = false, int? usual = null, int? example = null) => new(
        name, ParameterLocation.Query, description,
        _ => new OpenApiSchema
        {
            Type = JsonSchemaType.Integer,
            Minimum = min.ToString(CultureInfo.InvariantCulture),
            Maximum = max.ToString(CultureInfo.InvariantCulture),
            Default = usual is { } value ? value : null,
            Examples = example is { } one ? [one] : null,
        },
        new ParameterRule<int>(FieldFaults.WholeNumberRule(min, max), FieldFaults.WholeNumber(min, max)), isRequired, usual ?? default);

    // True or false, false where it is not given.
    public static RequestParameter<bool> Flag(string name, string description) => new(
        name, ParameterLocation.Query, description, _ => new OpenApiSchema { Type = JsonSchemaType.Boolean, Default = false },
        new ParameterRule<bool>("true or false", static (string text, out bool value) =>
        {
            // The framework's parser also takes blanks and NULs around it.
            value = string.Equals(text, "true", StringComparison.OrdinalIgnoreCase);
            return value || string.Equals(text, "false", StringComparison.OrdinalIgnoreCase);
        }));

    // One of a few words, in any case of the letters.
    // type: The name of the words' type in the document, and so in generated clients.
    // isFirstUsual: Whether the first word is the default.
    // aliases: Other words that are read too, and that the document does not list.
    public static RequestParameter<T> OneOf<T>(
        string name, string type, string description, IReadOnlyList<(string Word, T Value)> words, bool isFirstUsual = false,
        params (string Word, T Value)[] aliases) => new(
        name, ParameterLocation.Query, description,
        document => SharedSchemas.Choice(document, type, words.Select(static w => w.Word), isFirstUsual ? words[0].Word : null),
        new ParameterRule<T>($"one of: {string.Join(", ", words.Select(static w => w.Word))}", (string text, out T value) =>
        {
            foreach ((string word, T meant) in words.Concat(aliases))
            {
                value = meant;
                if (string.Equals(word, text, StringComparison.OrdinalIgnoreCase)) return true;
            }
            value = default!;
            return false;
        }),
        usual: isFirstUsual ? words[0].Value : default!);

    // A text of some form.
    // allowed: The allowed values, in words.
    // parse: Reads it.
    // pattern: The same as a regular expression.
    public static RequestParameter<T> Text<T>(
        string name, string description, string allowed, FieldFaults.Parser<T> parse, string? pattern = null, string? example = null,
        bool isRequired = false) => new(
        name, ParameterLocation.Query, description, _ => PlainText(pattern, example), new ParameterRule<T>(allowed, parse), isRequired);

    public static OpenApiSchema PlainText(string? pattern = null, string? example = null) =>
        new() { Type = JsonSchemaType.String, Pattern = pattern, Examples = example is null ? null : [example] };
}

// A parameter that is read into a value.
//
// ruleOf: The allowed values, which may depend on the request.
// usual: The default if the client does not send the parameter.
internal sealed class RequestParameter<T>(
    string name, ParameterLocation location, string description, Func<OpenApiDocument, IOpenApiSchema> schema, Func<HttpContext, ParameterRule<T>> ruleOf,
    bool isRequired = false, T usual = default!, string? example = null)
    : RequestParameter(name, location, description, schema, isRequired, example)
{
    public RequestParameter(
        string name, ParameterLocation location, string description, Func<OpenApiDocument, IOpenApiSchema> schema, ParameterRule<T> rule,
        bool isRequired = false, T usual = default!, string? example = null)
        : this(name, location, description, schema, _ => rule, isRequired, usual, example)
    {
    }

    // The same in a header, for requests whose query the client cannot change.
    // note: What the header's text looks like: its schema does not say.
    public RequestParameter<T> AsHeader(string header, string note, string example) =>
        new(header, ParameterLocation.Header, $"{Description} {note}", static _ => PlainText(), ruleOf, example: example);

    // Reads the parameter. Notes a fault if it is invalid.
    // Returns whether it is given and valid.
    public bool TryRead(HttpContext context, FieldFaults faults, out T value)
    {
        value = default!;
        return (IsRequired || IsGivenIn(context.Request)) && TryRead(context, ValuesIn(context.Request), faults, out value);
    }

    // Reads the parameter from other values, such as a member of a body.
    public bool TryRead(HttpContext context, StringValues values, FieldFaults faults, out T value)
    {
        ParameterRule<T> rule = ruleOf(context);
        return faults.TryRead(Name, values, rule.Allowed, rule.Parse, out value, IsRequired);
    }

    // The parameter's value; the default if it is not given, or is invalid.
    public T Read(HttpContext context, FieldFaults faults) => TryRead(context, faults, out T value) ? value : usual;
}

// The allowed values of a parameter.
//
// Allowed: In words, for the text of a fault: "NAME must be …".
// Parse: Parses a text. False: the text is invalid.
internal sealed record ParameterRule<T>(string Allowed, FieldFaults.Parser<T> Parse);

// Reads parameters for which a missing value differs from every given value.
internal static class OptionalParameters
{
    // Null: the parameter is not given, or is invalid.
    public static T? ReadOrNull<T>(this RequestParameter<T> parameter, HttpContext context, FieldFaults faults)
        where T : struct => parameter.TryRead(context, faults, out T value) ? value : null;
}
