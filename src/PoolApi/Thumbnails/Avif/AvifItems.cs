using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Avif;

/// <summary>
/// The items of an AVIF file, read by one walk over its boxes (ISO/IEC 23008-12). Linear in the bytes. The number of entries that are read is bounded,
/// so memory is too; encoders write far fewer. Invalid entries are skipped, since the decoder decides about them. If a table has a box or a location twice,
/// the first counts, as in the decoder.
/// </summary>
internal sealed class AvifItems
{
    /// <summary>The most items, pieces, references and properties that are read, all together. A grid has at most 65,536 tiles.</summary>
    public const int MaxEntries = 4 * 65_536;

    private readonly Dictionary<uint, AvifItem> _items = [];
    private readonly List<int> _hidden = [];
    private readonly List<(int TypeAt, AvifItem Item)> _metadata = [];
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

    /// <summary>The reason why another reader may find other items in the file; <see langword="null"/> if there is none.</summary>
    public string? Ambiguity { get; private set; }

    /// <summary>The positions of the types of boxes that the decoder must not see: image sequences, and tables of items after the first.</summary>
    public IReadOnlyList<int> Hidden => _hidden;

    /// <summary>The items that are no images, such as Exif, each with the position of the type of its entry.</summary>
    public IReadOnlyList<(int TypeAt, AvifItem Item)> Metadata => _metadata;

    public IReadOnlyCollection<AvifItem> All => _items.Values;

    /// <summary>Reads the items of a file. Of several tables of items the first counts; the decoder would take the last, or a short form (mini).</summary>
    public static AvifItems Read(ReadOnlySpan<byte> file)
    {
        var items = new AvifItems();
        IsoBox.Run boxes = IsoBox.Of(file);
        while (boxes.MoveNext())
        {
            IsoBox box = boxes.Current;
            bool isTable = box.Is("meta"u8);
            if (isTable && !items.IsKnown && box.Content.Length > 4) items.ReadTables(box);
            else if ((isTable || box.Is("moov"u8) || box.Is("mini"u8)) && items.Admit()) items._hidden.Add(box.TypeAt);
        }
        if (boxes.IsBroken) items.Ambiguity ??= "a box of an impossible length";
        return items;
    }

    /// <summary>The length of an item's bytes, as far as the file has them.</summary>
    public long LengthOf(ReadOnlySpan<byte> file, AvifItem item)
    {
        long length = 0;
        for (int n = 0; n < item.Pieces.Count; n++) length += Slice(file, item, n).Length;
        return length;
    }

    /// <summary>The number of pixels of a derived image, by its own header; 0 if it has none.</summary>
    public double CanvasOf(ReadOnlySpan<byte> file, AvifItem item)
    {
        const int GridSizes = 4, OverlaySizes = 10, Longest = OverlaySizes + 8;
        if (item.Type != ItemTypes.Grid && item.Type != ItemTypes.Overlay) return 0;

        Span<byte> header = stackalloc byte[Longest];
        int have = 0;
        for (int n = 0; n < item.Pieces.Count && have < Longest; n++)
        {
            ReadOnlySpan<byte> piece = Slice(file, item, n);
            piece = piece[..Math.Min(piece.Length, Longest - have)];
            piece.CopyTo(header[have..]);
            have += piece.Length;
        }
        var reader = new BigEndianReader(header[..have]);
        reader.Number(1);
        int size = (reader.Number(1) & 1) == 0 ? 2 : 4;
        for (int n = 2; n < (item.Type == ItemTypes.Grid ? GridSizes : OverlaySizes); n++) reader.Number(1);
        return (double)reader.Number(size) * reader.Number(size);
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
        if (image.Colours is { } declared) return declared;
        AvifItem? coded = !image.IsCoded && image.Sources.Count > 0 ? Find(image.Sources[0]) : image;
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
        bool hasPrimary = false, hasTypes = false, hasLocations = false, hasReferences = false, hasData = false, hasProperties = false;
        foreach (IsoBox box in meta.Boxes(header: 4))
        {
            if (box.Is("pitm"u8) && First(ref hasPrimary)) ReadPrimary(box.Content);
            else if (box.Is("iinf"u8) && First(ref hasTypes)) ReadTypes(box);
            else if (box.Is("iloc"u8) && First(ref hasLocations)) ReadLocations(box.Content);
            else if (box.Is("iref"u8) && First(ref hasReferences)) ReadReferences(box);
            else if (box.Is("idat"u8) && First(ref hasData)) _itemData = box.ContentAt..(box.ContentAt + box.Content.Length);
            else if (box.Is("iprp"u8) && First(ref hasProperties)) ReadProperties(box);
        }
    }

    private static bool First(ref bool seen) => !seen && (seen = true);

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
            if (!entry.Is("infe"u8)) continue;
            if (!Admit()) return;
            var id = (uint)reader.Number(entryVersion < 3 ? 2 : 4);
            AvifItem item = ItemOf(id);
            if (item.IsDeclared) Ambiguity = "an item that is declared twice";
            item.IsDeclared = true;
            if (entryVersion is not (2 or 3)) continue;
            reader.Number(2);
            item.Type = (uint)reader.Number(4);
            if (!ItemTypes.IsImage(item.Type)) _metadata.Add((entry.TypeAt, item));
        }
    }

    private void ReadLocations(ReadOnlySpan<byte> content)
    {
        var reader = new BigEndianReader(content);
        var version = (int)(reader.Number(4) >> 24);
        var sizes = (int)reader.Number(2);
        (int offsetSize, int lengthSize, int baseSize) = (sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15);
        int indexSize = version > 0 ? sizes & 15 : 0;
        if (!IsSize(offsetSize) || !IsSize(lengthSize) || !IsSize(baseSize) || !IsSize(indexSize)) Ambiguity = "numbers of an unknown length in its table of places";
        if (Math.Max(Math.Max(offsetSize, lengthSize), Math.Max(baseSize, indexSize)) > 8) return;

        int wide = version < 2 ? 2 : 4;
        for (ulong count = reader.Number(wide); count > 0 && !reader.IsEmpty && Admit(); count--)
        {
            AvifItem item = ItemOf((uint)reader.Number(wide));
            bool isFirst = !item.IsLocated;
            item.IsLocated = true;
            bool isInItemData = version > 0 && (reader.Number(2) & 15) == 1;
            if (isFirst) item.IsInItemData = isInItemData;
            reader.Number(2);
            ulong start = reader.Number(baseSize);
            for (ulong pieces = reader.Number(2); pieces > 0 && !reader.IsEmpty && Admit(); pieces--)
            {
                reader.Number(indexSize);
                ulong at = unchecked(start + reader.Number(offsetSize));
                ulong length = reader.Number(lengthSize);
                if (isFirst) item.Pieces.Add((at, length));
                // Pieces without any bytes in the table are all the same, so one is enough.
                if (offsetSize + lengthSize + indexSize == 0) break;
            }
        }
    }

    // The sizes that the standard permits. The decoder does not read numbers of another one.
    private static bool IsSize(int size) => size is 0 or 4 or 8;

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
                else ItemOf(to).Auxiliaries.Add(from);
            }
        }
    }

    private void ReadProperties(IsoBox boxes)
    {
        var properties = new List<Property>();
        bool hasProperties = false;
        foreach (IsoBox box in boxes.Boxes())
        {
            if (!box.Is("ipco"u8) || !First(ref hasProperties)) continue;
            foreach (IsoBox property in box.Boxes())
            {
                if (!Admit()) return;
                properties.Add(new Property(
                    property.Is("ispe"u8) ? AreaOf(property.Content) : 0,
                    property.Is("colr"u8) ? ColoursOf(property.Content) : null,
                    property.Is("av1C"u8) ? ConfigurationOf(property) : null));
            }
        }
        foreach (IsoBox box in boxes.Boxes())
        {
            if (box.Is("ipma"u8)) ReadAssociations(box.Content, properties);
        }
    }

    // Units follow the first four bytes.
    private static Range ConfigurationOf(IsoBox property)
    {
        int header = Math.Min(4, property.Content.Length);
        return (property.ContentAt + header)..(property.ContentAt + property.Content.Length);
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

    private void ReadAssociations(ReadOnlySpan<byte> content, List<Property> properties)
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
                item.Configuration ??= properties[index - 1].Configuration;
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

    private readonly record struct Property(double Area, CodePoints? Colours, Range? Configuration);

    private AvifItem ItemOf(uint id)
    {
        if (!_items.TryGetValue(id, out AvifItem? item)) _items.Add(id, item = new AvifItem());
        return item;
    }
}
