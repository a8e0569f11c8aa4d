using System.Text.Encodings.Web;
using System.Text.Json;

namespace PoolApi;

/// <summary>
/// How responses are written as JSON: quotes and signs as they are, not as \uXXXX. People read them, and nothing puts them into HTML.
/// </summary>
internal static class ReadableJson
{
    /// <summary>The options for JSON that code writes with a <c>Utf8JsonWriter</c>.</summary>
    public static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>For what a serializer writes. Each <see cref="System.Text.Json.Serialization.JsonSerializerContext"/> takes its own.</summary>
    public static JsonSerializerOptions NewOptions() => new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
