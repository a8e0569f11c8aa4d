using System.Buffers.Binary;
using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Avif;

/// <summary>
/// The items of an AVIF file, read by one walk over its boxes (ISO/IEC 23008-12). Linear in the bytes. The number of entries that are read is bounded,
/// so memory is too; encoders write far fewer. Invalid entries are skipped, since the decoder decides about them.
/// </summary>
internal sealed class AvifItems
{
    /// <summary>The most items, pieces, references and properties that are read, all together. A grid has at most 65,536 tiles.</summary>
    public const int MaxEntries = 4 * 65_536;

    private readonly Dictionary<uint, AvifItem> _items = [];
    private readonly List<(uint From, uint To)> _auxiliaries = [];
    private readonly List<int> _movies = [];
    private Range _itemData;
    private uint _primary;
    private int _entries;

    private AvifItems()
    {
    }

    /// <summary>Whether the file has a table of items.</summary>
    public bool IsKnown { get; private set; }

    /// <summary>Whether there are more than <see cref="MaxEntries"/>. Then the rest is not read.</summary>
    public bool IsTooLong => _entries > MaxEntries;

    /// <summary>The number of the item that the file shows.</summary>
    public uint Primary => _primary;

    /// <summary>Auxiliary items, such as alpha and depth, each with the item that it belongs to.</summary>
    public IReadOnlyList<(uint From, uint To)> Auxiliaries => _auxiliaries;

    /// <summary>The positions of the types of the boxes with image sequences.</summary>
    public IReadOnlyList<int> Movies => _movies;

    public IReadOnlyCollection<AvifItem> All => _items.Values;

    /// <summary>Reads the items of a file. Of several tables of items the first counts.</summary>
    public static AvifItems Read(ReadOnlySpan<byte> file)
    {
        var items = new AvifItems();
        foreach (IsoBox box in IsoBox.Of(file))
        {
            if (box.Is("moov"u8) && items.Admit()) items._movies.Add(box.TypeAt);
            else if (box.Is("meta"u8) && !items.IsKnown && box.Content.Length > 4) items.ReadTables(box);
        }
        return items;
    }

    /// <summary>Finds an item by its number.</summary>
    public AvifItem? Find(uint id) => _items.GetValueOrDefault(id);

    /// <summary>The bytes of one piece of an item, as far as the file has them.</summary>
    public ReadOnlySpan<byte> Slice(ReadOnlySpan<byte> file, AvifItem item, int piece)
    {
        ReadOnlySpan<byte> from = item.IsInItemData ? file[_itemData] : file;
        (ulong at, ulong length) = item.Pieces[piece];
        if (at > (ulong)from.Length) return default;
        ulong room = (ulong)from.Length - at;
        // A piece without a length extends to the end.
        return from.Slice((int)at, (int)(length == 0 ? room : Math.Min(length, room)));
    }

    /// <summary>
    /// The code points of the primary image's colours, by its properties, or else by its first AV1 stream.
    /// </summary>
    public CodePoints? ColoursOfPrimary(ReadOnlySpan<byte> file)
    {
        if (Find(_primary) is not { } image) return null;
        if (image.Colours is { } said) return said;
        AvifItem? coded = image.Sources.Count > 0 ? Find(image.Sources[0]) : image;
        if (coded is not { Pieces.Count: > 0 }) return null;
        foreach (Av1Unit unit in Av1Unit.Of(Slice(file, coded, piece: 0)))
        {
            if (unit.Type == Av1Unit.SequenceHeader) return Av1SequenceHeader.Read(unit.Content).Colours;
        }
        return null;
    }

    private void ReadTables(IsoBox meta)
    {
        IsKnown = true;
        var properties = new List<(double Area, CodePoints? Colours)>();
        ReadOnlySpan<byte> associations = default;
        foreach (IsoBox box in meta.Boxes(header: 4))
        {
            if (box.Is("pitm"u8)) ReadPrimary(box.Content);
            else if (box.Is("iinf"u8)) ReadTypes(box);
            else if (box.Is("iloc"u8)) ReadLocations(box.Content);
            else if (box.Is("iref"u8)) ReadReferences(box);
            else if (box.Is("idat"u8)) _itemData = box.ContentAt..(box.ContentAt + box.Content.Length);
            else if (box.Is("iprp"u8)) ReadProperties(box, properties, ref associations);
        }
        ReadAssociations(associations, properties);
    }

    private void ReadPrimary(ReadOnlySpan<byte> content)
    {
        var reader = new BigEndianReader(content);
        ulong version = reader.Number(4) >> 24;
        _primary = (uint)reader.Number(version == 0 ? 2 : 4);
    }

    private void ReadTypes(IsoBox table)
    {
        int version = VersionOf(table.Content);
        foreach (IsoBox entry in table.Boxes(header: version == 0 ? 6 : 8))
        {
            var reader = new BigEndianReader(entry.Content);
            ulong entryVersion = reader.Number(4) >> 24;
            if (!entry.Is("infe"u8) || entryVersion is not (2 or 3)) continue;
            if (!Admit()) return;
            var id = (uint)reader.Number(entryVersion == 2 ? 2 : 4);
            reader.Number(2);
            if (reader.Number(4) == BinaryPrimitives.ReadUInt32BigEndian("av01"u8)) ItemOf(id).IsCoded = true;
        }
    }

    private void ReadLocations(ReadOnlySpan<byte> content)
    {
        var reader = new BigEndianReader(content);
        var version = (int)(reader.Number(4) >> 24);
        var sizes = (int)reader.Number(2);
        (int offsetSize, int lengthSize, int baseSize) = (sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15);
        int indexSize = version > 0 ? sizes & 15 : 0;
        if (Math.Max(Math.Max(offsetSize, lengthSize), Math.Max(baseSize, indexSize)) > 8) return;

        int wide = version < 2 ? 2 : 4;
        for (ulong count = reader.Number(wide); count > 0 && !reader.IsEmpty && Admit(); count--)
        {
            AvifItem item = ItemOf((uint)reader.Number(wide));
            if (version > 0) item.IsInItemData = (reader.Number(2) & 15) == 1;
            reader.Number(2);
            ulong start = reader.Number(baseSize);
            for (ulong pieces = reader.Number(2); pieces > 0 && !reader.IsEmpty && Admit(); pieces--)
            {
                reader.Number(indexSize);
                ulong at = unchecked(start + reader.Number(offsetSize));
                item.Pieces.Add((at, reader.Number(lengthSize)));
                // Pieces without any bytes in the table are all the same, so one is enough.
                if (offsetSize + lengthSize + indexSize == 0) break;
            }
        }
    }

    private void ReadReferences(IsoBox table)
    {
        int idSize = VersionOf(table.Content) == 0 ? 2 : 4;
        foreach (IsoBox box in table.Boxes(header: 4))
        {
            bool isDerived = box.Is("dimg"u8);
            if (!isDerived && !box.Is("auxl"u8)) continue;
            var reader = new BigEndianReader(box.Content);
            var from = (uint)reader.Number(idSize);
            for (ulong count = reader.Number(2); count > 0 && !reader.IsEmpty && Admit(); count--)
            {
                var to = (uint)reader.Number(idSize);
                if (isDerived) ItemOf(from).Sources.Add(to);
                else _auxiliaries.Add((from, to));
            }
        }
    }

    private void ReadProperties(IsoBox boxes, List<(double Area, CodePoints? Colours)> properties, ref ReadOnlySpan<byte> associations)
    {
        foreach (IsoBox box in boxes.Boxes())
        {
            if (box.Is("ipma"u8) && associations.IsEmpty) associations = box.Content;
            if (!box.Is("ipco"u8)) continue;
            foreach (IsoBox property in box.Boxes())
            {
                if (!Admit()) return;
                properties.Add((
                    property.Is("ispe"u8) ? AreaOf(property.Content) : 0,
                    property.Is("colr"u8) ? ColoursOf(property.Content) : null));
            }
        }
    }

    private static double AreaOf(ReadOnlySpan<byte> content)
    {
        var reader = new BigEndianReader(content);
        reader.Number(4);
        return (double)reader.Number(4) * reader.Number(4);
    }

    // Code points. The other kinds of this property are ICC profiles, which the decoder returns.
    private static CodePoints? ColoursOf(ReadOnlySpan<byte> content)
    {
        if (content.Length < 8 || !content[..4].SequenceEqual("nclx"u8)) return null;
        var reader = new BigEndianReader(content[4..]);
        return new CodePoints((int)reader.Number(2), (int)reader.Number(2));
    }

    private void ReadAssociations(ReadOnlySpan<byte> content, List<(double Area, CodePoints? Colours)> properties)
    {
        var reader = new BigEndianReader(content);
        ulong versionAndFlags = reader.Number(4);
        int idSize = versionAndFlags >> 24 == 0 ? 2 : 4;
        int indexSize = (versionAndFlags & 1) == 0 ? 1 : 2;
        for (ulong count = reader.Number(4); count > 0 && !reader.IsEmpty && Admit(); count--)
        {
            AvifItem item = ItemOf((uint)reader.Number(idSize));
            for (ulong used = reader.Number(1); used > 0 && !reader.IsEmpty; used--)
            {
                // The highest bit marks an essential property.
                int index = (int)reader.Number(indexSize) & (indexSize == 1 ? 0x7F : 0x7FFF);
                if (index < 1 || index > properties.Count) continue;
                item.Area = Math.Max(item.Area, properties[index - 1].Area);
                item.Colours ??= properties[index - 1].Colours;
            }
        }
    }

    private static int VersionOf(ReadOnlySpan<byte> content) => content.IsEmpty ? 0 : content[0];

    private bool Admit()
    {
        if (IsTooLong) return false;
        _entries++;
        return !IsTooLong;
    }

    private AvifItem ItemOf(uint id)
    {
        if (!_items.TryGetValue(id, out AvifItem? item)) _items.Add(id, item = new AvifItem());
        return item;
    }
}
