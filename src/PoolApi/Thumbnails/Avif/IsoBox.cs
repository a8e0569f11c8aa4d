using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Avif;

/// <summary>
/// One box of an ISO media file (ISO/IEC 14496-12): a type of four letters, and a content. A view of the file: copies nothing. If a box declares a
/// length beyond the end, it ends at the end.
/// </summary>
internal readonly ref struct IsoBox(ReadOnlySpan<byte> type, int typeAt, ReadOnlySpan<byte> content, int contentAt)
{
    private readonly ReadOnlySpan<byte> _type = type;

    /// <summary>The content.</summary>
    public ReadOnlySpan<byte> Content { get; } = content;

    /// <summary>The position of the type in the file.</summary>
    public int TypeAt { get; } = typeAt;

    /// <summary>The position of the content in the file.</summary>
    public int ContentAt { get; } = contentAt;

    /// <summary>Whether the box is of this type.</summary>
    public bool Is(ReadOnlySpan<byte> type) => _type.SequenceEqual(type);

    /// <summary>The boxes inside this one.</summary>
    /// <param name="header">The number of bytes of the content before the first of them.</param>
    public Run Boxes(int header = 0) =>
        Content.Length > header ? new Run(Content[header..], ContentAt + header) : default;

    /// <summary>The boxes of a file.</summary>
    public static Run Of(ReadOnlySpan<byte> file) => new(file, 0);

    /// <summary>Consecutive boxes, for <c>foreach</c>. It ends before the first box with an incomplete header or an impossible length.</summary>
    public ref struct Run(ReadOnlySpan<byte> left, int at)
    {
        private ReadOnlySpan<byte> _left = left;
        private int _at = at;

        public IsoBox Current { get; private set; }

        /// <summary>Whether it ended at a box of an impossible length, where another reader may find further boxes.</summary>
        public bool IsBroken { get; private set; }

        public readonly Run GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_left.Length < 8) return false;
            ulong length = BinaryPrimitives.ReadUInt32BigEndian(_left);
            int header = 8;
            if (length == 1 && _left.Length >= 16)
            {
                length = BinaryPrimitives.ReadUInt64BigEndian(_left[8..]);
                header = 16;
            }
            else if (length == 0)
            {
                length = (ulong)_left.Length;
            }
            if (length < (ulong)header)
            {
                IsBroken = true;
                return false;
            }

            int end = (int)Math.Min(length, (ulong)_left.Length);
            Current = new IsoBox(_left.Slice(4, 4), _at + 4, _left[header..end], _at + header);
            _left = _left[end..];
            _at += end;
            return true;
        }
    }
}
