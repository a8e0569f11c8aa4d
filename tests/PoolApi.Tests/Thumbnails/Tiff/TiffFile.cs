using System.Buffers.Binary;
using System.IO.Compression;

namespace PoolApi.Tests.Thumbnails.Tiff;

/// <summary>Writes a little-endian TIFF of one page, of any variant, with or without damaged blocks.</summary>
internal sealed record TiffFile
{
    public const int Side = 64;
    private const int TileSide = 32;

    public ushort Photometric { get; init; } = 2;
    public ushort Bits { get; init; } = 8;
    public ushort Format { get; init; } = 1;
    public ushort Compression { get; init; } = 1;
    public ushort Planar { get; init; } = 1;
    public bool IsTiled { get; init; }

    /// <summary>One pixel, sample by sample, as stored; every pixel of the page is the same.</summary>
    public required byte[][] Pixel { get; init; }

    /// <summary>Changes a block's data, offset and size before they are written.</summary>
    public Func<int, (byte[] Data, uint Offset, uint Size), (byte[] Data, uint Offset, uint Size)> Damage { get; init; } = static (_, block) => block;

    public byte[] Write()
    {
        var rows = IsTiled ? TileSide : 16;
        var width = IsTiled ? TileSide : Side;
        var count = (IsTiled ? 2 : 1) * (Side / rows);
        var pixel = Pixel.SelectMany(static sample => sample).ToArray();
        var raw = Enumerable.Repeat(pixel, width * rows).SelectMany(static bytes => bytes).ToArray();
        var packed = Compression is 8 ? Deflate(raw) : raw;

        using var file = new MemoryStream();
        file.Write([(byte)'I', (byte)'I', 42, 0, 0, 0, 0, 0]);
        var (offsets, sizes) = (new uint[count], new uint[count]);
        for (var block = 0; block < count; block++)
        {
            var damaged = Damage(block, ((byte[])packed.Clone(), (uint)file.Position, (uint)packed.Length));
            (offsets[block], sizes[block]) = (damaged.Offset, damaged.Size);
            file.Write(damaged.Data);
        }
        var offsetsAt = Values(file, offsets, 4);
        var sizesAt = Values(file, sizes, 4);
        var samples = (uint)Pixel.Length;
        var bitsAt = Values(file, Enumerable.Repeat((uint)Bits, Pixel.Length), 2);
        var formatsAt = Values(file, Enumerable.Repeat((uint)Format, Pixel.Length), 2);
        var subsamplingAt = 1u | (1u << 16);

        (ushort Tag, ushort Type, uint Count, uint Value)[] entries =
        [
            (256, 3, 1, Side), (257, 3, 1, Side),
            (258, 3, samples, Pixel.Length <= 2 ? Short(Bits, Pixel.Length) : bitsAt),
            (259, 3, 1, Compression), (262, 3, 1, Photometric),
            (273, 4, (uint)count, offsetsAt), (277, 3, 1, samples), (278, 3, 1, (uint)rows), (279, 4, (uint)count, sizesAt),
            (284, 3, 1, Planar),
            (322, 3, 1, TileSide), (323, 3, 1, TileSide), (324, 4, (uint)count, offsetsAt), (325, 4, (uint)count, sizesAt),
            (339, 3, samples, Pixel.Length <= 2 ? Short(Format, Pixel.Length) : formatsAt),
            (530, 3, 2, subsamplingAt),
        ];
        var used = entries.Where(entry => entry.Tag switch
        {
            273 or 278 or 279 => !IsTiled,
            322 or 323 or 324 or 325 => IsTiled,
            530 => Photometric == 6,
            _ => true,
        }).ToArray();

        var directory = (uint)file.Position;
        var bytes = new byte[2 + (used.Length * 12) + 4];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)used.Length);
        for (var i = 0; i < used.Length; i++)
        {
            var at = bytes.AsSpan(2 + (i * 12));
            BinaryPrimitives.WriteUInt16LittleEndian(at, used[i].Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(at[2..], used[i].Type);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], used[i].Count);
            BinaryPrimitives.WriteUInt32LittleEndian(at[8..], used[i].Value);
        }
        file.Write(bytes);
        var whole = file.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(whole.AsSpan(4), directory);
        return whole;
    }

    private static uint Short(ushort value, int count) => count == 1 ? value : value | ((uint)value << 16);

    private static uint Values(MemoryStream file, IEnumerable<uint> values, int size)
    {
        var at = (uint)file.Position;
        foreach (var value in values)
        {
            file.Write(BitConverter.GetBytes(value).AsSpan(0, size));
        }
        return at;
    }

    private static byte[] Deflate(byte[] raw)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest))
        {
            zlib.Write(raw);
        }
        return packed.ToArray();
    }
}
