using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Tiff;

/// <summary>
/// The first directory of a TIFF or BigTIFF: its entries in order, and the values of tags. A view of the file: copies and allocates nothing.
/// </summary>
internal readonly ref struct TiffDirectory
{
    private readonly ReadOnlySpan<byte> _file;
    private readonly bool _big;

    private TiffDirectory(ReadOnlySpan<byte> file, int at, int count, bool bigEndian, bool big)
    {
        _file = file;
        _big = big;
        At = at;
        Count = count;
        IsBigEndian = bigEndian;
        int end = EntriesAt + count * EntryLength;
        Next = file.Length - end < PointerLength ? 0 : Unsigned(file.Slice(end, PointerLength), bigEndian);
    }

    /// <summary>The position of the directory, which begins with the number of its entries.</summary>
    public int At { get; }

    /// <summary>The number of entries.</summary>
    public int Count { get; }

    /// <summary>Whether numbers are big-endian.</summary>
    public bool IsBigEndian { get; }

    /// <summary>The position of the next directory; 0 if there is none.</summary>
    public ulong Next { get; }

    /// <summary>The length of the number of entries, in bytes.</summary>
    public int CountLength => _big ? 8 : 2;

    /// <summary>The length of an offset, in bytes.</summary>
    public int PointerLength => _big ? 8 : 4;

    /// <summary>The position of the first entry.</summary>
    public int EntriesAt => At + CountLength;

    private int EntryLength => _big ? 20 : 12;

    /// <summary>Finds the first directory; <see langword="false"/> if it is incomplete.</summary>
    public static bool TryRead(ReadOnlySpan<byte> file, out TiffDirectory directory)
    {
        directory = default;
        if (file.Length < 16) return false;

        bool bigEndian = file[0] == (byte)'M';
        bool big = Unsigned(file.Slice(2, 2), bigEndian) == 43;
        int countLength = big ? 8 : 2;
        ulong at = big ? Unsigned(file.Slice(8, 8), bigEndian) : Unsigned(file.Slice(4, 4), bigEndian);
        if (at > (ulong)(file.Length - countLength)) return false;
        ulong count = Unsigned(file.Slice((int)at, countLength), bigEndian);
        int room = file.Length - (int)at - countLength;
        if (count > (ulong)(room / (big ? 20 : 12))) return false;
        directory = new TiffDirectory(file, (int)at, (int)count, bigEndian, big);
        return true;
    }

    /// <summary>One entry.</summary>
    public TiffEntry EntryAt(int n) => new(_file, _file.Slice(EntriesAt + n * EntryLength, EntryLength), PointerLength, IsBigEndian);

    /// <summary>The first value of a tag; <see langword="null"/> if the directory has none that can be read.</summary>
    public long? Number(TiffTag tag) => Numbers(tag) is { Count: > 0 } values ? values[0] : null;

    /// <summary>The position of a value that fits into its entry; <see langword="null"/> if the directory has no such tag.</summary>
    public int? PositionOf(TiffTag tag) => IndexOf(tag) is var n and >= 0 ? EntriesAt + n * EntryLength + 4 + PointerLength : null;

    /// <summary>All values of a tag of whole numbers; empty if the file does not have all of them.</summary>
    public TiffNumbers Numbers(TiffTag tag)
    {
        int n = IndexOf(tag);
        if (n < 0) return default;
        TiffEntry entry = EntryAt(n);
        return entry.IsWhole && entry.Type is 1 or 3 or 4 or 13 or 16 or 18 ? new TiffNumbers(entry.Values, entry.Size, IsBigEndian) : default;
    }

    /// <summary>The values of a tag of rational numbers; <see langword="null"/> if there are fewer than requested.</summary>
    public double[]? Rationals(TiffTag tag, int count)
    {
        const int Rational = 5;
        int n = IndexOf(tag);
        if (n < 0) return null;
        TiffEntry entry = EntryAt(n);
        if (!entry.IsWhole || entry.Type != Rational || entry.Values.Length < count * 8) return null;

        var numbers = new double[count];
        for (int i = 0; i < count; i++)
            numbers[i] = Unsigned(entry.Values.Slice(i * 8, 4), IsBigEndian) / (double)Unsigned(entry.Values.Slice((i * 8) + 4, 4), IsBigEndian);
        return Array.TrueForAll(numbers, double.IsFinite) ? numbers : null;
    }

    /// <summary>Writes a number of entries in this file's form.</summary>
    public void WriteCount(Span<byte> bytes, int count)
    {
        if (_big && IsBigEndian) BinaryPrimitives.WriteInt64BigEndian(bytes, count);
        else if (_big) BinaryPrimitives.WriteInt64LittleEndian(bytes, count);
        else if (IsBigEndian) BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)count);
        else BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)count);
    }

    /// <summary>An unsigned number of 1, 2, 4 or 8 bytes.</summary>
    public static ulong Unsigned(ReadOnlySpan<byte> bytes, bool bigEndian) => bytes.Length switch
    {
        1 => bytes[0],
        2 => bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        4 => bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        _ => bigEndian ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : BinaryPrimitives.ReadUInt64LittleEndian(bytes),
    };

    // If a tag occurs twice, libtiff reads the first one too.
    private int IndexOf(TiffTag tag)
    {
        for (int n = 0; n < Count; n++)
        {
            if ((TiffTag)Unsigned(_file.Slice(EntriesAt + n * EntryLength, 2), IsBigEndian) == tag) return n;
        }
        return -1;
    }
}
