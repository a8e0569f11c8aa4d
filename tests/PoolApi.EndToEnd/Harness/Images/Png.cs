using System.Buffers.Binary;
using System.IO.Compression;

namespace PoolApi.EndToEnd.Harness.Images;

/// <summary>Writes PNG files, valid and hostile ones, so that the tests of input need no file from the machine.</summary>
internal static class Png
{
    private const int BombSide = 50_000;
    private static readonly uint[] CrcTable = MakeCrcTable();

    /// <summary>A valid picture: a gradient in 8-bit RGB.</summary>
    public static byte[] Gradient(int width, int height)
    {
        byte[] rows = new byte[height * (1 + 3 * width)];
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                int at = y * (1 + 3 * width) + 1 + 3 * x;
                rows[at] = (byte)(255 * x / width);
                rows[at + 1] = (byte)(255 * y / height);
                rows[at + 2] = (byte)(x * y);
            }
        }

        return File(width, height, bitDepth: 8, colourType: 2, stream => stream.Write(rows));
    }

    /// <summary>A valid picture in a file of exactly this size. Decoders ignore the bytes after the end of a PNG.</summary>
    public static byte[] OfSize(int bytes)
    {
        byte[] file = Gradient(200, 200);
        Array.Resize(ref file, bytes);
        return file;
    }

    /// <summary>About a hundred bytes that claim 50,000 × 50,000 pixels and contain almost none of them.</summary>
    public static byte[] HollowBomb() => File(BombSide, BombSide, bitDepth: 8, colourType: 2, stream => stream.Write(new byte[4096]));

    /// <summary>50,000 × 50,000 black pixels, all of them in the file: it is small, and decodes to gigabytes.</summary>
    public static byte[] FullBomb() => File(BombSide, BombSide, bitDepth: 1, colourType: 0, stream =>
    {
        byte[] row = new byte[1 + (BombSide + 7) / 8];
        for (int y = 0; y < BombSide; y++)
            stream.Write(row);
    });

    /// <summary>A valid picture that a decoder must keep in memory as a whole: black, in 8-bit RGB, interlaced.</summary>
    public static byte[] Interlaced(int width, int height) => File(
        width, height, bitDepth: 8, colourType: 2,
        stream =>
        {
            // Each of the seven passes has lines of its own, with a filter byte each. Decoders ignore surplus bytes.
            byte[] line = new byte[1 + 3 * width];
            for (int y = 0; y < height + 8; y++)
                stream.Write(line);
            stream.Write(new byte[4 * height]);
        },
        isInterlaced: true);

    private static byte[] File(int width, int height, byte bitDepth, byte colourType, Action<Stream> pixels, bool isInterlaced = false)
    {
        var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = (bitDepth, colourType, isInterlaced ? (byte)1 : (byte)0);
        Chunk(file, "IHDR"u8, header);
        var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Fastest, leaveOpen: true))
            pixels(zlib);
        Chunk(file, "IDAT"u8, data.ToArray());
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(type);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, type), data));
        file.Write(number);
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
            crc = CrcTable[(crc ^ b) & 0xFF] ^ (crc >> 8);
        return crc;
    }

    private static uint[] MakeCrcTable()
    {
        uint[] table = new uint[256];
        for (uint n = 0; n < 256; n++)
        {
            uint c = n;
            for (int k = 0; k < 8; k++)
                c = (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            table[n] = c;
        }

        return table;
    }
}
