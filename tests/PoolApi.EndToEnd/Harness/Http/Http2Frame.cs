using System.Buffers.Binary;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>A frame of HTTP/2 (RFC 9113, 4.1).</summary>
internal sealed record Http2Frame(Http2FrameType Type, byte Flags, int Stream, byte[] Payload)
{
    /// <summary>Set on a stream's last HEADERS or DATA. On SETTINGS and PING the same bit marks an acknowledgement.</summary>
    public const byte EndStreamOrAck = 0x1;

    /// <summary>Set on HEADERS that need no CONTINUATION.</summary>
    public const byte EndHeaders = 0x4;

    /// <summary>Whether this frame ends the stream without an error.</summary>
    public bool Ends(int stream) =>
        Stream == stream && Type is Http2FrameType.Data or Http2FrameType.Headers && (Flags & EndStreamOrAck) != 0;

    /// <summary>Whether these are the HEADERS of a 200: index 8 of the static table, after any updates of the dynamic table's size.</summary>
    public bool IsOk => Type == Http2FrameType.Headers && Payload.SkipWhile(octet => (octet & 0xE0) == 0x20).FirstOrDefault() == 0x88;

    /// <summary>A GOAWAY's last stream that was or will be served.</summary>
    public int LastStream => BinaryPrimitives.ReadInt32BigEndian(Payload) & int.MaxValue;

    /// <summary>A GOAWAY's error code; 0 is none.</summary>
    public int Error => BinaryPrimitives.ReadInt32BigEndian(Payload.AsSpan(4));

    /// <inheritdoc />
    public override string ToString() =>
        $"{Type} flags {Flags:x} stream {Stream}" + (Type == Http2FrameType.GoAway ? $" last {LastStream} error {Error}" : "");
}

/// <summary>The types of frames that the tests distinguish.</summary>
internal enum Http2FrameType
{
    /// <summary>A part of a body.</summary>
    Data = 0,

    /// <summary>The head of a request or response.</summary>
    Headers = 1,

    /// <summary>Aborts a stream.</summary>
    ResetStream = 3,

    /// <summary>The settings of one side.</summary>
    Settings = 4,

    /// <summary>Checks that the other side answers.</summary>
    Ping = 6,

    /// <summary>Announces that later streams are not served.</summary>
    GoAway = 7,
}
