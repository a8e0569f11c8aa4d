using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PoolApi;

/// <summary>
/// How responses are written as JSON: quotes, signs and letters of every language as they are, not as \uXXXX. People read them, and nothing puts
/// them into HTML.
/// </summary>
internal static class ReadableJson
{
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

#pragma warning disable RS0030 // with the options, which a caller of the constructors could leave out
    /// <summary>For JSON that code writes.</summary>
    public static Utf8JsonWriter NewWriter(IBufferWriter<byte> to) => new(to, WriterOptions);

    /// <inheritdoc cref="NewWriter(IBufferWriter{byte})"/>
    public static Utf8JsonWriter NewWriter(Stream to) => new(to, WriterOptions);
#pragma warning restore RS0030

    /// <summary>For what a serializer writes. Each <see cref="System.Text.Json.Serialization.JsonSerializerContext"/> takes its own.</summary>
    public static JsonSerializerOptions NewOptions() => new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
