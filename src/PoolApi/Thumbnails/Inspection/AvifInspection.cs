using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Reads the item tables of an AVIF. An image that is derived from others costs what each of its references costs, however often they
/// are to the same one. A coded image costs what its AV1 stream says, not what the container says of it. The decoder does not see the
/// tracks of a sequence.
/// </summary>
internal static class AvifInspection
{
    // Measured with libheif and libaom, rounded up.
    private const double SecondsPerPixel = 35e-9;
    private const double SecondsPerByte = 170e-9;
    private const double BytesPerPixel = 16;

    // What more than 8 bits make of both, and a profile with full colours or 12 bits.
    private const double DeepFactor = 1.3;
    private const double FullFactor = 1.7;

    private const double DerivedSecondsPerPixel = 10e-9;
    private const double DerivedBytesPerPixel = 8;

    private const int MaxDepth = 8;

    public static DecodeCost Walk(ReadOnlySpan<byte> image, ref Excerpt excerpt)
    {
        excerpt.Keep(image);
        ReadOnlySpan<byte> meta = default;
        for (int at = 0; TryReadBox(image, at, out Box box); at += box.Length)
        {
            if (box.Is("meta"u8) && meta.IsEmpty && box.Data.Length > 4) meta = box.Data[4..];
        }
        if (meta.IsEmpty) return DecodeCost.Unknown;
        for (int at = 0; TryReadBox(image, at, out Box box); at += box.Length)
        {
            if (box.Is("moov"u8)) excerpt.Patch(at + 4, "free"u8);
        }

        var items = new Items();
        items.Read(meta);
        (double seconds, double bytes, double pixels) = items.Primary(image);
        return new DecodeCost(seconds, bytes, DecodeCost.Megapixels(pixels) + " in its coded images", items.Extent);
    }

    private static bool TryReadBox(ReadOnlySpan<byte> file, int at, out Box box)
    {
        box = default;
        if (file.Length - at < 8) return false;
        ulong length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
        int header = 8;
        if (length == 1 && file.Length - at >= 16)
        {
            length = BinaryPrimitives.ReadUInt64BigEndian(file[(at + 8)..]);
            header = 16;
        }
        else if (length == 0)
        {
            length = (ulong)(file.Length - at);
        }
        if (length < (ulong)header || length > (ulong)(file.Length - at)) return false;
        box = new Box(file.Slice(at, (int)length), header);
        return true;
    }

    private readonly ref struct Box(ReadOnlySpan<byte> bytes, int header)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;

        public int Length => _bytes.Length;

        public ReadOnlySpan<byte> Data => _bytes[header..];

        public bool Is(ReadOnlySpan<byte> type) => _bytes.Slice(4, 4).SequenceEqual(type);
    }

    /// <summary>Reads numbers of a given size one after the other; beyond the end they are 0.</summary>
    private ref struct Numbers(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _left = bytes;

        public readonly bool IsEmpty => _left.IsEmpty;

        public ulong Next(int size)
        {
            if (_left.Length < size)
            {
                _left = default;
                return 0;
            }
            ulong value = 0;
            foreach (byte part in _left[..size]) value = value << 8 | part;
            _left = _left[size..];
            return value;
        }
    }

    private sealed class Item
    {
        public List<uint> Sources { get; } = [];

        public List<(ulong At, ulong Length)> Extents { get; } = [];

        public double Extent { get; set; }

        public bool IsInItemData { get; set; }

        public (double Seconds, double Bytes, double Pixels)? Cost { get; set; }
    }

    private ref struct Items
    {
        private readonly Dictionary<uint, Item> _items = [];
        private readonly List<(uint From, uint To)> _auxiliaries = [];
        private readonly List<double> _areas = [];
        private ReadOnlySpan<byte> _itemData;
        private uint _primary;

        public Items()
        {
        }

        /// <summary>The pixels of the primary image, as the container says.</summary>
        public readonly double Extent => _items.TryGetValue(_primary, out Item? item) ? item.Extent : 0;

        public void Read(ReadOnlySpan<byte> meta)
        {
            ReadOnlySpan<byte> associations = default;
            for (int at = 0; TryReadBox(meta, at, out Box box); at += box.Length)
            {
                if (box.Is("pitm"u8) && box.Data.Length >= 6) _primary = (uint)new Numbers(box.Data[4..]).Next(box.Data[0] == 0 ? 2 : 4);
                else if (box.Is("iloc"u8) && box.Data.Length >= 8) ReadLocations(box.Data);
                else if (box.Is("iref"u8) && box.Data.Length >= 4) ReadReferences(box.Data);
                else if (box.Is("idat"u8)) _itemData = box.Data;
                else if (box.Is("iprp"u8)) ReadProperties(box.Data, ref associations);
            }
            if (associations.Length >= 8) ReadAssociations(associations);
        }

        public readonly (double Seconds, double Bytes, double Pixels) Primary(ReadOnlySpan<byte> file)
        {
            (double seconds, double bytes, double pixels) = CostOf(_primary, file, 0);
            // Its alpha is decoded too.
            foreach ((uint from, uint to) in _auxiliaries)
            {
                if (to != _primary) continue;
                var alpha = CostOf(from, file, 0);
                seconds += alpha.Seconds;
                bytes = Math.Max(bytes, alpha.Bytes) + 2 * alpha.Pixels;
                pixels += alpha.Pixels;
            }
            return (seconds, bytes, pixels);
        }

        // Each item is looked at once, and each reference is one addition: linear, though the costs multiply.
        private readonly (double Seconds, double Bytes, double Pixels) CostOf(uint id, ReadOnlySpan<byte> file, int depth)
        {
            if (!_items.TryGetValue(id, out Item? item) || depth > MaxDepth) return default;
            if (item.Cost is { } known) return known;

            // A circle of references costs nothing here: the decoder refuses it.
            item.Cost = (0, 0, 0);
            double seconds = 0, bytes = 0, pixels = 0;
            if (item.Sources.Count > 0)
            {
                foreach (uint source in item.Sources)
                {
                    var part = CostOf(source, file, depth + 1);
                    seconds += part.Seconds;
                    pixels += part.Pixels;
                    bytes = Math.Max(bytes, part.Bytes);
                }
                seconds += item.Extent * DerivedSecondsPerPixel;
                bytes += item.Extent * DerivedBytesPerPixel;
            }
            else
            {
                Av1Stream stream = Coded(item, item.IsInItemData ? _itemData : file);
                double area = Math.Max(stream.Area, item.Extent);
                double factor = stream.IsFull ? FullFactor : stream.IsDeep ? DeepFactor : 1;
                pixels = area * Math.Max(1, stream.Frames);
                seconds = pixels * SecondsPerPixel * factor + stream.Length * SecondsPerByte;
                bytes = area * BytesPerPixel * factor;
            }
            item.Cost = (seconds, bytes, pixels);
            return (seconds, bytes, pixels);
        }

        private static Av1Stream Coded(Item item, ReadOnlySpan<byte> from)
        {
            if (item.Extents.Count == 1)
                return Av1Stream.Measure(Slice(from, item.Extents[0]));

            // In pieces, which may name the same bytes again and again: no more than the file has is put together.
            using var whole = new MemoryStream();
            foreach ((ulong At, ulong Length) extent in item.Extents)
            {
                ReadOnlySpan<byte> piece = Slice(from, extent);
                if (whole.Length + piece.Length > from.Length) return new Av1Stream(double.PositiveInfinity, 1, false, false, 0);
                whole.Write(piece);
            }
            return Av1Stream.Measure(whole.GetBuffer().AsSpan(0, (int)whole.Length));
        }

        private static ReadOnlySpan<byte> Slice(ReadOnlySpan<byte> from, (ulong At, ulong Length) extent)
        {
            if (extent.At > (ulong)from.Length) return default;
            ulong room = (ulong)from.Length - extent.At;
            return from.Slice((int)extent.At, (int)(extent.Length == 0 ? room : Math.Min(extent.Length, room)));
        }

        private readonly Item ItemOf(uint id)
        {
            if (!_items.TryGetValue(id, out Item? item)) _items.Add(id, item = new Item());
            return item;
        }

        private readonly void ReadLocations(ReadOnlySpan<byte> data)
        {
            int version = data[0];
            var numbers = new Numbers(data[4..]);
            int sizes = (int)numbers.Next(1);
            int more = (int)numbers.Next(1);
            (int offsetSize, int lengthSize, int baseSize, int indexSize) = (sizes >> 4, sizes & 15, more >> 4, version > 0 ? more & 15 : 0);
            if (Math.Max(Math.Max(offsetSize, lengthSize), Math.Max(baseSize, indexSize)) > 8) return;
            ulong count = numbers.Next(version < 2 ? 2 : 4);
            for (ulong n = 0; n < count && !numbers.IsEmpty; n++)
            {
                Item item = ItemOf((uint)numbers.Next(version < 2 ? 2 : 4));
                if (version > 0) item.IsInItemData = (numbers.Next(2) & 15) == 1;
                numbers.Next(2);
                ulong start = numbers.Next(baseSize);
                ulong extents = numbers.Next(2);
                for (ulong e = 0; e < extents && !numbers.IsEmpty; e++)
                {
                    numbers.Next(indexSize);
                    ulong at = unchecked(start + numbers.Next(offsetSize));
                    item.Extents.Add((at, numbers.Next(lengthSize)));
                    // Extents of no size at all would be free.
                    if (offsetSize + lengthSize + indexSize == 0) break;
                }
            }
        }

        private readonly void ReadReferences(ReadOnlySpan<byte> data)
        {
            int idSize = data[0] == 0 ? 2 : 4;
            ReadOnlySpan<byte> boxes = data[4..];
            for (int at = 0; TryReadBox(boxes, at, out Box box); at += box.Length)
            {
                var numbers = new Numbers(box.Data);
                uint from = (uint)numbers.Next(idSize);
                ulong count = numbers.Next(2);
                bool derived = box.Is("dimg"u8);
                if (!derived && !box.Is("auxl"u8)) continue;
                for (ulong n = 0; n < count && !numbers.IsEmpty; n++)
                {
                    uint to = (uint)numbers.Next(idSize);
                    if (derived) ItemOf(from).Sources.Add(to);
                    else _auxiliaries.Add((from, to));
                }
            }
        }

        private readonly void ReadProperties(ReadOnlySpan<byte> data, ref ReadOnlySpan<byte> associations)
        {
            for (int at = 0; TryReadBox(data, at, out Box box); at += box.Length)
            {
                if (box.Is("ipma"u8) && associations.IsEmpty) associations = box.Data;
                if (!box.Is("ipco"u8)) continue;
                for (int inner = 0; TryReadBox(box.Data, inner, out Box property); inner += property.Length)
                {
                    bool sized = property.Is("ispe"u8) && property.Data.Length >= 12;
                    _areas.Add(!sized ? 0 : (double)BinaryPrimitives.ReadUInt32BigEndian(property.Data[4..])
                        * BinaryPrimitives.ReadUInt32BigEndian(property.Data[8..]));
                }
            }
        }

        private readonly void ReadAssociations(ReadOnlySpan<byte> data)
        {
            int idSize = data[0] == 0 ? 2 : 4;
            int indexSize = (data[3] & 1) == 0 ? 1 : 2;
            var numbers = new Numbers(data[4..]);
            ulong count = numbers.Next(4);
            for (ulong n = 0; n < count && !numbers.IsEmpty; n++)
            {
                Item item = ItemOf((uint)numbers.Next(idSize));
                ulong properties = numbers.Next(1);
                for (ulong p = 0; p < properties && !numbers.IsEmpty; p++)
                {
                    int index = (int)numbers.Next(indexSize) & (indexSize == 1 ? 0x7F : 0x7FFF);
                    if (index >= 1 && index <= _areas.Count) item.Extent = Math.Max(item.Extent, _areas[index - 1]);
                }
            }
        }
    }
}
