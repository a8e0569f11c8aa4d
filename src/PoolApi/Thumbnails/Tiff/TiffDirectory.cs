using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Tiff;

/// <summary>
/// The first directory of a TIFF or BigTIFF: numbers by tag, read where they lie. It copies nothing and allocates nothing. A value
/// that lies outside the file counts as absent.
/// </summary>
internal readonly ref struct TiffDirectory
{
    private readonly ReadOnlySpan<byte> _file;
    private readonly ReadOnlySpan<byte> _entries;
    private readonly int _entriesAt;
    private readonly bool _bigEndian;
    private readonly bool _big;

    private TiffDirectory(ReadOnlySpan<byte> file, ReadOnlySpan<byte> entries, int entriesAt, bool bigEndian, bool big)
    {
        _file = file;
        _entries = entries;
        _entriesAt = entriesAt;
        _bigEndian = bigEndian;
        _big = big;
    }

    private int EntrySize => _big ? 20 : 12;

    /// <summary>Finds the first directory; false where it is not whole.</summary>
    public static bool TryRead(ReadOnlySpan<byte> file, out TiffDirectory directory)
    {
        directory = default;
        if (file.Length < 16)
            return false;

        var bigEndian = file[0] == (byte)'M';
        var big = Unsigned(file.Slice(2, 2), bigEndian) == 43;
        var start = big ? Unsigned(file.Slice(8, 8), bigEndian) : Unsigned(file.Slice(4, 4), bigEndian);
        var countSize = big ? 8 : 2;
        if (start > (ulong)(file.Length - countSize))
            return false;

        var count = Unsigned(file.Slice((int)start, countSize), bigEndian);
        var rest = file[((int)start + countSize)..];
        var entrySize = big ? 20 : 12;
        if (count > (ulong)(rest.Length / entrySize))
            return false;

        directory = new TiffDirectory(file, rest[..((int)count * entrySize)], (int)start + countSize, bigEndian, big);
        return true;
    }

    /// <summary>The first value of a tag, or null where the directory has none that can be read.</summary>
    public long? Number(TiffTag tag) => Numbers(tag) is { Count: > 0 } values ? values[0] : null;

    /// <summary>Where in the file the value of a tag stands that fits in its entry; null where the directory has no such tag.</summary>
    public int? PlaceOf(TiffTag tag)
    {
        for (var at = 0; at < _entries.Length; at += EntrySize)
        {
            if (Unsigned(_entries.Slice(at, 2), _bigEndian) == (ulong)tag)
                return _entriesAt + at + (_big ? 12 : 8);
        }
        return null;
    }

    /// <summary>All values of a tag that holds whole numbers; empty where the directory has none that can be read.</summary>
    public TiffNumbers Numbers(TiffTag tag) =>
        TryFind(tag, out var type, out var values) && type is 1 or 3 or 4 or 13 or 16 or 18
            ? new TiffNumbers(values, SizeOf(type), _bigEndian)
            : default;

    /// <summary>The values of a tag that holds rational numbers; null where there are fewer than asked for.</summary>
    public double[]? Rationals(TiffTag tag, int count)
    {
        const int Rational = 5;
        if (!TryFind(tag, out var type, out var values) || type != Rational || values.Length < count * 8)
            return null;

        var numbers = new double[count];
        for (var i = 0; i < count; i++)
        {
            numbers[i] = Unsigned(values.Slice(i * 8, 4), _bigEndian) / (double)Unsigned(values.Slice((i * 8) + 4, 4), _bigEndian);
        }
        return Array.TrueForAll(numbers, double.IsFinite) ? numbers : null;
    }

    /// <summary>Whether its numbers have their first byte first.</summary>
    public bool IsBigEndian => _bigEndian;

    /// <summary>An unsigned number of 1, 2, 4 or 8 bytes.</summary>
    public static ulong Unsigned(ReadOnlySpan<byte> bytes, bool bigEndian) => bytes.Length switch
    {
        1 => bytes[0],
        2 => bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        4 => bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        _ => bigEndian ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : BinaryPrimitives.ReadUInt64LittleEndian(bytes),
    };

    // Of a tag that is there twice libtiff takes the first too.
    private bool TryFind(TiffTag tag, out int type, out ReadOnlySpan<byte> values)
    {
        for (var at = 0; at < _entries.Length; at += EntrySize)
        {
            var entry = _entries.Slice(at, EntrySize);
            if (Unsigned(entry[..2], _bigEndian) != (ulong)tag)
                continue;

            type = (int)Unsigned(entry.Slice(2, 2), _bigEndian);
            return TryReadValues(entry[4..], SizeOf(type), out values);
        }

        type = 0;
        values = default;
        return false;
    }

    // What fits in the place of the offset stands there itself.
    private bool TryReadValues(ReadOnlySpan<byte> countAndPlace, int size, out ReadOnlySpan<byte> values)
    {
        var half = countAndPlace.Length / 2;
        var count = Unsigned(countAndPlace[..half], _bigEndian);
        var place = countAndPlace[half..];
        values = default;
        if (count > (ulong)(_file.Length / size))
            return false;

        var length = (int)count * size;
        if (length <= half)
        {
            values = place[..length];
            return true;
        }

        var offset = Unsigned(place, _bigEndian);
        if (offset > (ulong)(_file.Length - length))
            return false;
        values = _file.Slice((int)offset, length);
        return true;
    }

    private static int SizeOf(int type) => type switch
    {
        3 or 8 => 2,
        4 or 9 or 11 or 13 => 4,
        5 or 10 or 12 or 16 or 17 or 18 => 8,
        _ => 1,
    };
}
