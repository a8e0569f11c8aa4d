namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>TIFFs written directory by directory.</summary>
internal static class TiffContainer
{
    /// <summary>One entry of a directory.</summary>
    internal readonly record struct Entry(int Tag, int Type, long Count, long Value);

    private const int Short = 3;
    private const int Long = 4;

    /// <summary>Pages of one grey pixel each, in a chain.</summary>
    public static byte[] Pages(int pages, bool bigEndian = false, bool big = false)
    {
        var tiff = Start(bigEndian, big, out int headerLength);
        for (int n = 0; n < pages; n++)
        {
            Entry[] entries = Grey(1, 1, [new(273, Long, 1, headerLength - 1), new(278, Short, 1, 1), new(279, Long, 1, 1)]);
            Directory(tiff, entries, big, n + 1 < pages ? tiff.Length + DirectoryLength(entries.Length, big) : 0);
        }
        return tiff.ToArray();
    }

    /// <summary>A page of one grey pixel with further entries, which all refer to the same bytes after the directory.</summary>
    public static byte[] WithEntries(int count, int firstTag, int entryBytes)
    {
        var tiff = Start(false, false, out int headerLength);
        int end = headerLength + DirectoryLength(8 + count, false);
        Entry[] further = [.. Enumerable.Range(firstTag, count).Select(tag => new Entry(tag, 1, entryBytes, end))];
        Directory(tiff, Grey(1, 1, [new(273, Long, 1, 7), new(278, Short, 1, 1), new(279, Long, 1, 1), .. further]), false, 0);
        return tiff.Raw(new byte[entryBytes]).ToArray();
    }

    /// <summary>A grey page of uncompressed tiles, which all are the same bytes.</summary>
    public static byte[] SharedTiles(int width, int height, int tileSide)
    {
        var tiff = Start(false, false, out int headerLength);
        int tiles = (width + tileSide - 1) / tileSide * ((height + tileSide - 1) / tileSide);
        int table = headerLength + DirectoryLength(9, false);
        int data = table + 8 * tiles;
        Directory(tiff, Grey(width, height, [
            new(322, Short, 1, tileSide), new(323, Short, 1, tileSide),
            new(324, Long, tiles, tiles == 1 ? data : table), new(325, Long, tiles, tiles == 1 ? tileSide * tileSide : table + 4 * tiles)]), false, 0);
        for (int n = 0; n < tiles; n++) tiff.U32(data);
        for (int n = 0; n < tiles; n++) tiff.U32(tileSide * tileSide);
        // The pixels are zero, as a new array is: a gigabyte of them is neither written nor copied.
        var file = new byte[data + tileSide * tileSide];
        tiff.ToArray().CopyTo(file, 0);
        return file;
    }

    /// <summary>A page of any kind, whose data starts at offset 8.</summary>
    public static byte[] Behind(ReadOnlySpan<byte> data, Entry[] entries)
    {
        int padded = data.Length + data.Length % 2;
        var tiff = new ByteWriter(false).Text("II").U16(42).U32(8 + padded).Raw(data);
        if (padded > data.Length) tiff.U8(0);
        Directory(tiff, entries, false, 0);
        return tiff.ToArray();
    }

    /// <summary>A page whose strips or tiles are parts of the data, which starts at offset 8. They may overlap.</summary>
    public static byte[] Blocks(ReadOnlySpan<byte> data, bool tiled, IReadOnlyList<(int At, int Length)> blocks, Entry[] head, params Entry[] tail)
    {
        int padded = data.Length + data.Length % 2;
        var tables = new ByteWriter(false).Raw(data).Raw(new byte[padded - data.Length]);
        foreach ((int at, _) in blocks) tables.U32(8 + at);
        foreach ((_, int length) in blocks) tables.U32(length);
        (int offsets, int lengths) = tiled ? (324, 325) : (273, 279);
        // A single number is in the entry itself.
        (int offsetField, int lengthField) = blocks.Count == 1 ? (8 + blocks[0].At, blocks[0].Length) : (8 + padded, 8 + padded + 4 * blocks.Count);
        return Behind(tables.ToArray(), [.. head, new(offsets, Long, blocks.Count, offsetField), new(lengths, Long, blocks.Count, lengthField), .. tail]);
    }

    private static Entry[] Grey(int width, int height, Entry[] data) =>
        [new(256, Long, 1, width), new(257, Long, 1, height), new(258, Short, 1, 8), new(259, Short, 1, 1), new(262, Short, 1, 1), .. data];

    private static ByteWriter Start(bool bigEndian, bool big, out int length)
    {
        var tiff = new ByteWriter(bigEndian).Text(bigEndian ? "MM" : "II").U16(big ? 43 : 42);
        if (big) tiff.U16(8).U16(0).U64(16);
        else tiff.U32(8);
        length = tiff.Length;
        return tiff;
    }

    private static int DirectoryLength(int entries, bool big) => big ? 8 + 20 * entries + 8 : 2 + 12 * entries + 4;

    private static void Directory(ByteWriter tiff, ReadOnlySpan<Entry> entries, bool big, long next)
    {
        if (big) tiff.U64(entries.Length);
        else tiff.U16(entries.Length);
        foreach (Entry entry in entries)
        {
            tiff.U16(entry.Tag).U16(entry.Type);
            if (big) tiff.U64(entry.Count);
            else tiff.U32(entry.Count);
            if (entry is { Type: Short, Count: 1 }) tiff.U16((int)entry.Value).U16(0);
            else tiff.U32(entry.Value);
            if (big) tiff.U32(0);
        }
        if (big) tiff.U64(next);
        else tiff.U32(next);
    }
}
