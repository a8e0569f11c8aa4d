using System.Buffers.Text;
using System.Text;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>The head of an HTTP/1.1 response, which determines where the response ends.</summary>
/// <param name="Status">The status code.</param>
/// <param name="BodyStart">Where the body begins.</param>
/// <param name="ContentLength">The length of the body; <see langword="null"/> if there is no Content-Length.</param>
/// <param name="Chunked">Whether the body is chunked.</param>
/// <param name="Closes">Whether the server closes the connection after it.</param>
internal readonly record struct AnswerHead(int Status, int BodyStart, int? ContentLength, bool Chunked, bool Closes)
{
    /// <returns>Whether the head is complete.</returns>
    /// <exception cref="InvalidDataException">This is not an HTTP/1.1 response.</exception>
    public static bool TryParse(ReadOnlySpan<byte> received, out AnswerHead head)
    {
        head = default;
        int end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0) return false;
        ReadOnlySpan<byte> lines = received[..end];
        if (!lines.StartsWith("HTTP/1."u8) || lines.Length < 12 || !Utf8Parser.TryParse(lines[9..12], out int status, out _))
            throw new InvalidDataException("The server did not answer in HTTP/1.1.");

        int? length = null;
        bool chunked = false, closes = lines[7] == (byte)'0';
        int line = lines.IndexOf("\r\n"u8);
        while (line >= 0)
        {
            lines = lines[(line + 2)..];
            line = lines.IndexOf("\r\n"u8);
            ReadOnlySpan<byte> header = line < 0 ? lines : lines[..line];
            if (Value(header, "content-length"u8, out ReadOnlySpan<byte> value))
                length = Utf8Parser.TryParse(value, out int bytes, out _) ? bytes : throw new InvalidDataException("A length is no number.");
            else if (Value(header, "transfer-encoding"u8, out value))
                chunked = Ascii.EqualsIgnoreCase(value, "chunked"u8);
            else if (Value(header, "connection"u8, out value))
                closes = Ascii.EqualsIgnoreCase(value, "close"u8);
        }
        head = new AnswerHead(status, end + 4, length, chunked, closes);
        return true;
    }

    /// <summary>Whether the response is complete. A response that ends with the connection is never complete before that.</summary>
    public bool IsComplete(ReadOnlySpan<byte> received)
    {
        ReadOnlySpan<byte> body = received[BodyStart..];
        // The responses are a few lines of text. None contains the bytes of the last chunk before its end, and none has trailers.
        if (Chunked) return body.EndsWith("\r\n0\r\n\r\n"u8) || body.SequenceEqual("0\r\n\r\n"u8);
        return body.Length >= ContentLength;
    }

    private static bool Value(ReadOnlySpan<byte> header, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (header.Length <= name.Length || header[name.Length] != (byte)':' || !Ascii.EqualsIgnoreCase(header[..name.Length], name))
            return false;
        value = header[(name.Length + 1)..].Trim((byte)' ');
        return true;
    }
}
