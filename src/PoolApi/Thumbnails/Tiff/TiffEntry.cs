namespace PoolApi.Thumbnails.Tiff;

/// <summary>One entry of a TIFF directory: a tag, and its values in the entry itself or at an offset. A view of the file: copies nothing.</summary>
internal readonly ref struct TiffEntry
{
    private readonly ReadOnlySpan<byte> _file;
    private readonly bool _bigEndian;

    /// <summary>Reads an entry whose counts and offsets have <paramref name="pointerLength"/> bytes.</summary>
    public TiffEntry(ReadOnlySpan<byte> file, ReadOnlySpan<byte> bytes, int pointerLength, bool bigEndian)
    {
        _file = file;
        _bigEndian = bigEndian;
        Bytes = bytes;
        Tag = (TiffTag)TiffDirectory.Unsigned(bytes[..2], bigEndian);
        Type = (int)TiffDirectory.Unsigned(bytes.Slice(2, 2), bigEndian);
        Size = Type switch { 3 or 8 => 2, 4 or 9 or 11 or 13 => 4, 5 or 10 or 12 or 16 or 17 or 18 => 8, _ => 1 };
        ByteCount = (double)TiffDirectory.Unsigned(bytes.Slice(4, pointerLength), bigEndian) * Size;
        // Values that fit into the field of the offset are stored there.
        ReadOnlySpan<byte> valueOffset = bytes.Slice(4 + pointerLength, pointerLength);
        if (ByteCount <= pointerLength)
        {
            Values = valueOffset[..(int)ByteCount];
        }
        else if (TiffDirectory.Unsigned(valueOffset, bigEndian) is var at && at <= (ulong)file.Length)
        {
            int room = file.Length - (int)at;
            Values = file.Slice((int)at, ByteCount <= room ? (int)ByteCount : room - room % Size);
        }
    }

    public ReadOnlySpan<byte> Bytes { get; }

    public TiffTag Tag { get; }

    public int Type { get; }

    /// <summary>The length of one value, in bytes.</summary>
    public int Size { get; }

    /// <summary>The declared length of all values, in bytes.</summary>
    public double ByteCount { get; }

    /// <summary>The bytes of its values, as far as the file has them.</summary>
    public ReadOnlySpan<byte> Values { get; }

    /// <summary>Whether the file has all of its values.</summary>
    public bool IsWhole => Values.Length == ByteCount;

    /// <summary>The number of its values that the file has.</summary>
    public int Count => Size == 0 ? 0 : Values.Length / Size;

    /// <summary>One value; 0 if the file does not have it.</summary>
    public double ValueAt(int n) => n < Count ? TiffDirectory.Unsigned(Values.Slice(n * Size, Size), _bigEndian) : 0;

    /// <summary>The bytes of a strip or tile, as far as the file has them.</summary>
    public ReadOnlySpan<byte> FileAt(double offset, double length) =>
        offset < 0 || offset > _file.Length ? default : _file.Slice((int)offset, (int)Math.Min(length, _file.Length - offset));
}
