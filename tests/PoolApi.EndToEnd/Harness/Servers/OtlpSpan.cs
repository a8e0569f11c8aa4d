using System.Text;

namespace PoolApi.EndToEnd.Harness.Servers;

/// <summary>A span as OTLP sends it, parsed just far enough to find its parent.</summary>
/// <remarks>
/// Protobuf: trace_id = 1 (16 bytes), span_id = 2 (8 bytes), trace_state = 3, parent_span_id = 4 (8 bytes), flags = 16, name = 5,
/// links = 13 (each with trace_id = 1 and span_id = 2).
/// </remarks>
internal sealed record OtlpSpan(byte[] TraceId, byte[] SpanId, byte[]? ParentId)
{
    /// <summary>The span of this name. The bodies are bytes as Latin-1.</summary>
    public static OtlpSpan Find(IEnumerable<string> bodies, string name)
    {
        string named = $"\x2A{(char)name.Length}{name}"; // field 5, a text of this length
        foreach (string body in bodies)
        {
            int at = body.IndexOf(named, StringComparison.Ordinal);
            if (at < 0)
                continue;
            // The ids precede the name. The last trace id before the name is that of this span.
            string head = body[..at];
            int trace = head.LastIndexOf("\x0A\x10", StringComparison.Ordinal);
            Assert.True(trace >= 0, "no trace id before " + name);
            int span = trace + 18;
            Assert.Equal("\x12\x08", head.Substring(span, 2));
            int rest = span + 10;
            int parent = head.IndexOf("\x22\x08", rest, StringComparison.Ordinal);
            return new OtlpSpan(Bytes(head, trace + 2, 16), Bytes(head, span + 2, 8), parent < 0 ? null : Bytes(head, parent + 2, 8));
        }

        throw new InvalidOperationException($"no span is named {name}");
    }

    /// <summary>The trace ids, as 32 hexadecimal digits, of all spans in a body of bytes as Latin-1 (an ExportTraceServiceRequest).</summary>
    public static IEnumerable<string> TraceIds(string body)
    {
        foreach (var ofResource in Messages(Encoding.Latin1.GetBytes(body), field: 1))
        {
            foreach (var ofScope in Messages(ofResource, field: 2))
            {
                foreach (var span in Messages(ofScope, field: 2))
                    yield return Convert.ToHexStringLower(Messages(span, field: 1).Single().Span);
            }
        }
    }

    /// <summary>The values of a length-delimited field. All other fields are skipped.</summary>
    private static List<ReadOnlyMemory<byte>> Messages(ReadOnlyMemory<byte> message, int field)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        for (int at = 0; at < message.Length;)
        {
            ulong tag = ReadNumber(message.Span, ref at);
            switch (tag & 7)
            {
                case 0:
                    ReadNumber(message.Span, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 2:
                    int length = (int)ReadNumber(message.Span, ref at);
                    if (tag >> 3 == (ulong)field)
                        found.Add(message.Slice(at, length));
                    at += length;
                    break;
                case 5:
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"no protobuf: tag {tag} at {at}");
            }
        }

        return found;
    }

    private static ulong ReadNumber(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong number = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            number |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return number;
        }
    }

    /// <summary>Whether some span has a link to this one.</summary>
    public static bool HasLink(IEnumerable<string> bodies, byte[] traceId, byte[] spanId)
    {
        string to = $"\x0A\x10{Encoding.Latin1.GetString(traceId)}\x12\x08{Encoding.Latin1.GetString(spanId)}";
        foreach (string body in bodies)
        {
            // A span begins with the same bytes, but after another tag. The length between the tag and the ids takes one byte or two.
            for (int at = body.IndexOf(to, StringComparison.Ordinal); at >= 0; at = body.IndexOf(to, at + 1, StringComparison.Ordinal))
            {
                if (at >= 3 && (body[at - 2] == '\x6A' || body[at - 3] == '\x6A'))
                    return true;
            }
        }

        return false;
    }

    private static byte[] Bytes(string text, int from, int count) => Encoding.Latin1.GetBytes(text.Substring(from, count));
}
