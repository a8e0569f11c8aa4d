using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PoolApi.Dashboard.Streams;

/// <summary>Writes JSON by hand: what the pages read, with nothing that a serializer would have to know.</summary>
internal static class Json
{
    // Nothing puts it into HTML: the pages take it as text.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Options)) write(json);
        return buffer.WrittenSpan.ToArray();
    }

    public static void WriteMaybe(this Utf8JsonWriter json, string name, string? value)
    {
        if (value is null) json.WriteNull(name);
        else json.WriteString(name, value);
    }

    /// <summary>To the microsecond: more is noise.</summary>
    public static void WriteMilliseconds(this Utf8JsonWriter json, string name, double value) => json.WriteNumber(name, Math.Round(value, 3));
}
