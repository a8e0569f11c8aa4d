namespace PoolApi.Thumbnails.Avif;

/// <summary>The items of an AVIF file, as its meta box lists them: the part that deciding how to decode takes.</summary>
internal readonly ref struct AvifItems
{
    private readonly ReadOnlySpan<byte> _meta;

    private AvifItems(ReadOnlySpan<byte> meta) => _meta = meta;

    /// <summary>Finds the meta box; without one there are no items.</summary>
    public static AvifItems Read(ReadOnlySpan<byte> file)
    {
        var meta = IsoBox.Find(file, "meta"u8);
        return new AvifItems(meta.Length > 4 ? meta[4..] : default);
    }

    /// <summary>Where in the file the AV1 data of each coded image starts.</summary>
    public List<int> CodedImages()
    {
        var starts = new List<int>();
        var coded = ItemsOfType("av01"u8);
        var reader = new BigEndianReader(IsoBox.Find(_meta, "iloc"u8));
        var version = (int)reader.Number(1);
        reader.Number(3);
        var sizes = (int)reader.Number(2);
        var (offsetSize, lengthSize, baseSize) = (sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15);
        var indexSize = version == 0 ? 0 : sizes & 15;
        if (version > 2 || Math.Max(Math.Max(offsetSize, lengthSize), Math.Max(baseSize, indexSize)) > 8)
            return starts;

        var wide = version == 2 ? 4 : 2;
        for (var count = reader.Number(wide); count > 0 && !reader.IsPastEnd; count--)
        {
            var id = (uint)reader.Number(wide);
            var inFile = version == 0 || (reader.Number(2) & 15) == 0;
            reader.Number(2);
            var start = reader.Number(baseSize);
            var isFirst = true;
            for (var extents = reader.Number(2); extents > 0 && !reader.IsPastEnd; extents--)
            {
                reader.Number(indexSize);
                var offset = reader.Number(offsetSize);
                reader.Number(lengthSize);
                if (isFirst && inFile && coded.Contains(id) && start <= int.MaxValue && offset <= int.MaxValue - start)
                    starts.Add((int)(start + offset));
                isFirst = false;
            }
        }
        return starts;
    }

    private HashSet<uint> ItemsOfType(ReadOnlySpan<byte> type)
    {
        var items = new HashSet<uint>();
        var info = IsoBox.Find(_meta, "iinf"u8);
        var skip = info.Length > 0 && info[0] == 0 ? 6 : 8;
        var entries = info.Length > skip ? info[skip..] : default;
        while (IsoBox.TryTake(ref entries, out var entry))
        {
            var reader = new BigEndianReader(entry.Content);
            var version = reader.Number(4) >> 24;
            var idSize = version == 2 ? 2 : 4;
            var id = (uint)reader.Number(idSize);
            var typeAt = 4 + idSize + 2;
            if (version is 2 or 3 && entry.Content.Length >= typeAt + 4 && entry.Content.Slice(typeAt, 4).SequenceEqual(type))
                items.Add(id);
        }
        return items;
    }
}
