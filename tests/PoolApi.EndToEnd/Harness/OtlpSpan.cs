using System.Text;

namespace PoolApi.EndToEnd.Harness;

/// <summary>A span as OTLP sends it, taken apart just far enough to see whose child it is.</summary>
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
            // The ids come before it: the last beginnings of each.
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

    /// <summary>Whether some span has a link to this one.</summary>
    public static bool HasLink(IEnumerable<string> bodies, byte[] traceId, byte[] spanId)
    {
        string to = $"\x0A\x10{Encoding.Latin1.GetString(traceId)}\x12\x08{Encoding.Latin1.GetString(spanId)}";
        foreach (string body in bodies)
        {
            // A span itself begins like this as well; but behind another tag. The length between may be in one byte or in two.
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
