namespace PoolApi.Thumbnails.Avif;

/// <summary>One open bitstream unit (OBU) of an AV1 stream (AV1, 5.3). A view of the stream: copies nothing.</summary>
internal readonly ref struct Av1Unit(int type, ReadOnlySpan<byte> content, int contentAt, bool hasLength)
{
    public const int SequenceHeader = 1;
    public const int FrameHeader = 3;
    public const int Frame = 6;

    public int Type { get; } = type;

    /// <summary>The bytes after its header.</summary>
    public ReadOnlySpan<byte> Content { get; } = content;

    /// <summary>The position of the content in the stream.</summary>
    public int ContentAt { get; } = contentAt;

    /// <summary>The position after its last byte.</summary>
    public int End => ContentAt + Content.Length;

    /// <summary>Whether it declares its length. If it does not, it extends to the end of the stream.</summary>
    public bool HasLength { get; } = hasLength;

    /// <summary>The units of a stream.</summary>
    public static Run Of(ReadOnlySpan<byte> stream) => new(stream);

    /// <summary>The units of a stream, for <c>foreach</c>. It ends before the first incomplete unit.</summary>
    public ref struct Run(ReadOnlySpan<byte> stream)
    {
        private readonly ReadOnlySpan<byte> _stream = stream;
        private int _at;

        public Av1Unit Current { get; private set; }

        public readonly Run GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_at >= _stream.Length) return false;
            int header = _stream[_at];
            bool hasExtension = (header & 4) != 0;
            bool hasLength = (header & 2) != 0;
            int at = _at + (hasExtension ? 2 : 1);
            // A unit without a length extends to the end.
            ulong length = hasLength ? ReadLength(ref at) : (ulong)Math.Max(0, _stream.Length - at);
            if (at > _stream.Length || length > (ulong)(_stream.Length - at)) return false;

            Current = new Av1Unit(header >> 3 & 15, _stream.Slice(at, (int)length), at, hasLength);
            _at = at + (int)length;
            return true;
        }

        // AV1, 4.10.5: seven bits in each byte, the lowest first.
        private readonly ulong ReadLength(ref int at)
        {
            ulong length = 0;
            for (int n = 0; n < 8 && at < _stream.Length; n++)
            {
                byte part = _stream[at++];
                length |= (ulong)(part & 0x7F) << (7 * n);
                if ((part & 0x80) == 0) break;
            }
            return length;
        }
    }
}
