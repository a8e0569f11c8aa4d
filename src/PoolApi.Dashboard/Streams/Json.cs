using System.Buffers;
using System.Text.Json;

namespace PoolApi.Dashboard.Streams;

/// <summary>Helpers that write the pages' JSON with <see cref="Utf8JsonWriter"/>, without types for a serializer.</summary>
internal static class Json
{
    public static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (Utf8JsonWriter json = ReadableJson.NewWriter(buffer)) write(json);
        return buffer.WrittenSpan.ToArray();
    }

    public static void WriteMaybe(this Utf8JsonWriter json, string name, string? value)
    {
        if (value is null) json.WriteNull(name);
        else json.WriteString(name, value);
    }

    /// <summary>Rounds to the microsecond, since more digits are noise.</summary>
    public static void WriteMilliseconds(this Utf8JsonWriter json, string name, double value) => json.WriteNumber(name, Math.Round(value, 3));
}
