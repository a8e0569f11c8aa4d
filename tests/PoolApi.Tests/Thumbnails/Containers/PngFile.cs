using System.IO.Compression;

namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>PNGs written chunk by chunk, with the right checksums.</summary>
internal static class PngFile
{
    private static readonly uint[] CrcTable = [.. Enumerable.Range(0, 256).Select(static n => CrcOf((uint)n))];

    /// <summary>An image whose pixels are all zero.</summary>
    public static byte[] Blank(int width, int height, int bits = 8, int colourType = 2, bool interlaced = false, params ReadOnlySpan<byte[]> chunks)
    {
        int channels = colourType switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        long line = ((long)width * channels * bits + 7) / 8 + 1;
        // Interlaced lines have some more filter bytes; a decoder ignores excess bytes.
        var png = new ByteWriter().Raw(0x89).Text("PNG\r\n").Raw(0x1A, (byte)'\n');
        var header = new ByteWriter().U32(width).U32(height).U8(bits).U8(colourType).U8(0).U8(0).U8(interlaced ? 1 : 0);
        png.Raw(Chunk("IHDR", header.ToArray()));
        foreach (byte[] chunk in chunks) png.Raw(chunk);
        return png.Raw(Chunk("IDAT", Zeros(line * height + (interlaced ? 4L * height + 64 : 0)))).Raw(Chunk("IEND", [])).ToArray();
    }

    /// <summary>Puts chunks behind the header of a PNG.</summary>
    public static byte[] With(byte[] png, params ReadOnlySpan<byte[]> chunks)
    {
        const int HeaderEnd = 8 + 25;
        var with = new ByteWriter().Raw(png.AsSpan(0, HeaderEnd));
        foreach (byte[] chunk in chunks) with.Raw(chunk);
        return with.Raw(png.AsSpan(HeaderEnd)).ToArray();
    }

    /// <summary>Puts a chunk before the header of a PNG.</summary>
    public static byte[] Before(byte[] png, byte[] chunk) => [.. png[..8], .. chunk, .. png[8..]];

    /// <summary>Compressed text, this long once inflated.</summary>
    public static byte[] CompressedText(long length, string keyword = "Comment") =>
        Chunk("zTXt", new ByteWriter().Text(keyword).U8(0).U8(0).Raw(Zeros(length)).ToArray());

    /// <summary>Compressed international text, this long once inflated.</summary>
    public static byte[] CompressedInternationalText(long length, string keyword = "Comment") =>
        Chunk("iTXt", new ByteWriter().Text(keyword).Raw(0, 1, 0, 0, 0).Raw(Zeros(length)).ToArray());

    /// <summary>A colour profile: a header that declares its length, then zeros.</summary>
    public static byte[] Profile(int length)
    {
        var profile = new byte[length];
        new ByteWriter().U32(length).Text("lcms").U32(0x02100000).Text("mntrRGB XYZ ").ToArray().CopyTo(profile, 0);
        "acsp"u8.CopyTo(profile.AsSpan(36));
        return Profile(profile);
    }

    /// <summary>A colour profile.</summary>
    public static byte[] Profile(byte[] profile) => Chunk("iCCP", new ByteWriter().Text("profile").U8(0).U8(0).Raw(Deflate(profile)).ToArray());

    public static byte[] Chunk(string type, ReadOnlySpan<byte> data)
    {
        byte[] body = new ByteWriter().Text(type).Raw(data).ToArray();
        return new ByteWriter().U32(data.Length).Raw(body).U32(Crc(body)).ToArray();
    }

    private static byte[] Zeros(long length)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal))
        {
            byte[] zeros = new byte[1 << 16];
            for (long left = length; left > 0; left -= zeros.Length) zlib.Write(zeros, 0, (int)Math.Min(left, zeros.Length));
        }
        return packed.ToArray();
    }

    private static byte[] Deflate(byte[] data)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal))
        {
            zlib.Write(data);
        }
        return packed.ToArray();
    }

    private static uint Crc(byte[] data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data) crc = CrcTable[(crc ^ value) & 0xFF] ^ crc >> 8;
        return ~crc;
    }

    private static uint CrcOf(uint value)
    {
        for (int bit = 0; bit < 8; bit++) value = (value & 1) == 0 ? value >> 1 : value >> 1 ^ 0xEDB88320;
        return value;
    }
}
