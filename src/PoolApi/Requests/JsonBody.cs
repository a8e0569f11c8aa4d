using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Problems;

namespace PoolApi.Requests;

/// <summary>Reads a JSON body, which the pool's admission has buffered before.</summary>
internal static class JsonBody
{
    public static JsonBody<T> Read<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        var body = new JsonBody<T>(context);
        if (RefuseType(context) is { } refusal)
        {
            body.Refuse(refusal);
            return body;
        }

        ReadOnlyMemory<byte> bytes = context.Features.Get<IBufferedBodyFeature>()?.Body ?? default;
        try
        {
            body.Value = JsonSerializer.Deserialize(bytes.Span, type);
            if (body.Value is null) body.Fault("body", $"The body is null; it must be a JSON object with {Fields(type)}.");
        }
        catch (JsonException e)
        {
            // The exception's own words may quote the body, and the body holds passwords.
            string where = e is { LineNumber: { } line, BytePositionInLine: { } column } ? $" (line {line + 1}, byte {column + 1})" : "";
            body.Fault("body", $"The body is not valid{where}; it must be a JSON object with {Fields(type)}.");
        }
        return body;
    }

    /// <summary>415 for a body that is not JSON by its Content-Type.</summary>
    public static IResult? RefuseType(HttpContext context) => context.Request.HasJsonContentType()
        ? null
        : Problem.OfField(context, ServiceProblems.UnsupportedMedia, "Content-Type", "Content-Type must be application/json.");

    private static string Fields<T>(JsonTypeInfo<T> type) =>
        string.Join(" and ", type.Properties.Select(static p => $"the text \"{p.Name}\""));
}

/// <summary>A JSON body that was read, and its faults.</summary>
internal sealed class JsonBody<T>(HttpContext context)
    where T : class
{
    private readonly RequestFaults _faults = new(context);
    private IResult? _refusal;

    public T? Value { get; set; }

    public IResult? Refusal => _refusal ?? _faults.Refusal;

    public void Refuse(IResult refusal) => _refusal = refusal;

    public void Fault(string field, string message) => _faults.Add(field, message);
}
