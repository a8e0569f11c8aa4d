using System.Buffers.Binary;
using NetVips;

namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>AVIFs written box by box, around a coded image of libvips.</summary>
internal static class AvifFile
{
    /// <summary>
    /// A grid that declares its size. All its references name the same tile, which has its coded frame once or several times.
    /// A tag of code points declares the colours of the grid.
    /// </summary>
    public static byte[] Grid(int width, int height, int columns, int rows, int tileSide, int frames = 1, double[]? colour = null, (int Primaries, int Transfer)? tag = null)
    {
        byte[] tile = Coded(tileSide, colour ?? Samples.Red, out byte[] config);
        byte[] data = [.. Enumerable.Repeat(tile, frames).SelectMany(static t => t)];
        byte[] grid = new ByteWriter().U8(0).U8(0).U8(rows - 1).U8(columns - 1).U16(width).U16(height).ToArray();
        int cells = rows * columns;

        var reference = new ByteWriter().U16(1).U16(cells);
        for (int n = 0; n < cells; n++) reference.U16(2);
        byte[] properties = new ByteWriter()
            .Raw(FullBox("ispe", 0, new ByteWriter().U32(width).U32(height).ToArray()))
            .Raw(FullBox("ispe", 0, new ByteWriter().U32(tileSide).U32(tileSide).ToArray()))
            .Raw(config)
            .Raw(FullBox("pixi", 0, [3, 8, 8, 8]))
            .Raw(tag is { } said ? Box("colr", new ByteWriter().Text("nclx").U16(said.Primaries).U16(said.Transfer).U16(6).U8(0x80).ToArray()) : Box("free", []))
            .ToArray();
        byte[] associations = new ByteWriter().U32(2)
            .U16(1).U8(3).U8(1).U8(4).U8(5)
            .U16(2).U8(3).U8(2).U8(0x83).U8(4).ToArray();

        byte[] Meta(int gridAt, int tileAt) => FullBox("meta", 0, new ByteWriter()
            .Raw(FullBox("hdlr", 0, new ByteWriter().U32(0).Text("pict").Raw(new byte[12]).U8(0).ToArray()))
            .Raw(FullBox("pitm", 0, new ByteWriter().U16(1).ToArray()))
            .Raw(FullBox("iloc", 0, new ByteWriter().U8(0x44).U8(0).U16(2)
                .U16(1).U16(0).U16(1).U32(gridAt).U32(grid.Length)
                .U16(2).U16(0).U16(1).U32(tileAt).U32(data.Length).ToArray()))
            .Raw(FullBox("iinf", 0, new ByteWriter().U16(2).Raw(Item(1, "grid")).Raw(Item(2, "av01")).ToArray()))
            .Raw(FullBox("iref", 0, Box("dimg", reference.ToArray())))
            .Raw(Box("iprp", [.. Box("ipco", properties), .. FullBox("ipma", 0, associations)]))
            .ToArray());

        int start = Type.Length + Meta(0, 0).Length + 8;
        return [.. Type, .. Meta(start, start + grid.Length), .. Box("mdat", [.. grid, .. data])];
    }

    /// <summary>One item: its number, its type, its bytes, and its properties.</summary>
    internal sealed record Part(int Id, string Type, byte[] Data, int Width = 0, int Height = 0, byte[]? Config = null, bool IsAlpha = false);

    /// <summary>Any items and references, after the given boxes. If the bytes are shared, all items have those of the first item.</summary>
    public static byte[] Of(Part[] parts, (string Type, int From, int[] To)[] references, int[]? primaries = null, byte[][]? before = null, bool isShared = false)
    {
        var properties = new ByteWriter();
        var associations = new ByteWriter().U32(parts.Length);
        int property = 0;
        foreach (Part part in parts)
        {
            byte[][] own =
            [
                FullBox("ispe", 0, new ByteWriter().U32(part.Width).U32(part.Height).ToArray()),
                part.Config ?? Box("free", []),
                part.IsAlpha ? FullBox("auxC", 0, new ByteWriter().Text("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha").U8(0).ToArray()) : Box("free", []),
            ];
            foreach (byte[] box in own) properties.Raw(box);
            associations.U16(part.Id).U8(own.Length);
            for (int n = 0; n < own.Length; n++) associations.U8(++property);
        }
        var links = new ByteWriter();
        foreach ((string type, int from, int[] to) in references)
        {
            var link = new ByteWriter().U16(from).U16(to.Length);
            foreach (int id in to) link.U16(id);
            links.Raw(Box(type, link.ToArray()));
        }

        byte[] Meta(int at)
        {
            var places = new ByteWriter().U8(0x44).U8(0).U16(parts.Length);
            var types = new ByteWriter().U16(parts.Length);
            foreach (Part part in parts)
            {
                places.U16(part.Id).U16(0).U16(1).U32(at).U32(part.Data.Length);
                if (!isShared) at += part.Data.Length;
                types.Raw(FullBox("infe", 2, new ByteWriter().U16(part.Id).U16(0).Text(part.Type).U8(0).ToArray()));
            }
            var meta = new ByteWriter().Raw(FullBox("hdlr", 0, new ByteWriter().U32(0).Text("pict").Raw(new byte[12]).U8(0).ToArray()));
            foreach (int primary in primaries ?? [1]) meta.Raw(FullBox("pitm", 0, new ByteWriter().U16(primary).ToArray()));
            return FullBox("meta", 0, meta
                .Raw(FullBox("iloc", 0, places.ToArray()))
                .Raw(FullBox("iinf", 0, types.ToArray()))
                .Raw(FullBox("iref", 0, links.ToArray()))
                .Raw(Box("iprp", [.. Box("ipco", properties.ToArray()), .. FullBox("ipma", 0, associations.ToArray())]))
                .ToArray());
        }

        byte[] first = [.. before?.SelectMany(static box => box) ?? []];
        byte[] data = isShared ? parts[0].Data : [.. parts.SelectMany(static part => part.Data)];
        int start = Type.Length + first.Length + Meta(0).Length + 8;
        return [.. Type, .. first, .. Meta(start), .. Box("mdat", data)];
    }

    /// <summary>A configuration with the given units after its first four bytes.</summary>
    public static byte[] Configuration(byte[] config, byte[] units) => Box("av1C", [.. config[8..12], .. units]);

    /// <summary>The bytes of a grid of one row.</summary>
    public static byte[] GridHeader(int width, int height, int columns) => new ByteWriter().U8(0).U8(0).U8(0).U8(columns - 1).U16(width).U16(height).ToArray();

    /// <summary>
    /// A grid of many items, which all are the same run of empty units. Unless <paramref name="isReferred"/>, the grid refers only to the first.
    /// </summary>
    public static byte[] SharedRun(int items, int length, bool isReferred)
    {
        var places = new ByteWriter().U8(0x44).U8(0).U16(items);
        var types = new ByteWriter().U16(items);
        var reference = new ByteWriter().U16(1).U16(isReferred ? items - 1 : 1);
        for (int id = 2; id <= items; id++) reference.U16(id);
        byte[] Meta(int at)
        {
            places = new ByteWriter().U8(0x44).U8(0).U16(items);
            for (int id = 1; id <= items; id++) places.U16(id).U16(0).U16(1).U32(at).U32(length);
            return FullBox("meta", 0, new ByteWriter()
                .Raw(FullBox("pitm", 0, new ByteWriter().U16(1).ToArray()))
                .Raw(FullBox("iloc", 0, places.ToArray()))
                .Raw(FullBox("iinf", 0, types.ToArray()))
                .Raw(FullBox("iref", 0, Box("dimg", reference.ToArray())))
                .ToArray());
        }
        types.Raw(Item(1, "grid"));
        for (int id = 2; id <= items; id++) types.Raw(Item(id, "av01"));
        byte[] run = [.. Enumerable.Repeat<byte[]>([0x7A, 0], length / 2).SelectMany(static unit => unit)];
        return [.. Type, .. Meta(Type.Length + Meta(0).Length + 8), .. Box("mdat", run)];
    }

    /// <summary>This many items without bytes.</summary>
    public static byte[] Items(int count)
    {
        var table = new ByteWriter().U8(0).U8(0).U32(count);
        for (int n = 0; n < count; n++) table.U32(n).U16(0).U16(0).U16(0);
        return WithTable("iloc", 2, table.ToArray());
    }

    /// <summary>Items, each of this many pieces.</summary>
    public static byte[] Pieces(int items, int pieces)
    {
        var table = new ByteWriter().U8(0x10).U8(0).U16(items);
        for (int n = 1; n <= items; n++) table.U16(n).U16(0).U16(pieces).Raw(new byte[pieces]);
        return WithTable("iloc", 0, table.ToArray());
    }

    /// <summary>Derived items, each from this many sources.</summary>
    public static byte[] References(int items, int sources)
    {
        var table = new ByteWriter();
        for (int n = 1; n <= items; n++) table.Raw(Box("dimg", new ByteWriter().U16(n).U16(sources).Raw(new byte[2 * sources]).ToArray()));
        return WithTable("iref", 0, table.ToArray());
    }

    /// <summary>This many properties of an unknown type.</summary>
    public static byte[] Properties(int count)
    {
        byte[] one = Box("free", []);
        var properties = new ByteWriter();
        for (int n = 0; n < count; n++) properties.Raw(one);
        return [.. Type, .. FullBox("meta", 0, Box("iprp", Box("ipco", properties.ToArray())))];
    }

    private static byte[] Type => Box("ftyp", new ByteWriter().Text("avif").U32(0).Text("avifmif1miaf").ToArray());

    private static byte[] WithTable(string type, int version, byte[] table) => [.. Type, .. FullBox("meta", 0, FullBox(type, version, table))];

    private static byte[] Item(int id, string type) => FullBox("infe", 2, new ByteWriter().U16(id).U16(0).Text(type).U8(0).ToArray());

    public static byte[] Box(string type, ReadOnlySpan<byte> data) => new ByteWriter().U32(data.Length + 8).Text(type).Raw(data).ToArray();

    private static byte[] FullBox(string type, int version, ReadOnlySpan<byte> data) =>
        new ByteWriter().U32(data.Length + 12).Text(type).U32((long)version << 24).Raw(data).ToArray();

    // From a file that libvips writes: the coded image in mdat, and its configuration.
    public static byte[] Coded(int side, double[] colour, out byte[] config)
    {
        using Image tile = Samples.Solid(side, side, colour);
        byte[] avif = tile.HeifsaveBuffer(q: 50, compression: Enums.ForeignHeifCompression.Av1, effort: 0, keep: Enums.ForeignKeep.None);
        config = BoxAt(avif, avif.AsSpan().IndexOf("av1C"u8) - 4);
        return BoxAt(avif, avif.AsSpan().LastIndexOf("mdat"u8) - 4)[8..];

        static byte[] BoxAt(byte[] file, int at) =>
            file.AsSpan(at, (int)BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at))).ToArray();
    }
}
