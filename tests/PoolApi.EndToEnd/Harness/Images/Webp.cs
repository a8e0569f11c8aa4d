using System.Buffers.Binary;

namespace PoolApi.EndToEnd.Harness.Images;

/// <summary>Writes WebP files.</summary>
internal static class Webp
{
    /// <summary>A valid picture that a decoder must keep in memory as a whole: lossless, transparent black, in 36 bytes.</summary>
    public static byte[] Lossless(int width, int height)
    {
        const int Signature = 0x2F;
        // Width, height and the alpha flag, then version 0; no transform, no cache, no groups.
        ulong header = Signature | (ulong)(width - 1) << 8 | (ulong)(height - 1) << 22 | 1UL << 36;
        // Five prefix codes of one symbol, 0, which takes no bits: 1, 0, 0, 0 for each. They begin at bit 43.
        UInt128 stream = header;
        for (int code = 0; code < 5; code++)
            stream |= UInt128.One << (43 + 4 * code);
        byte[] file = new byte[20 + 16];
        "RIFF"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), file.Length - 8);
        "WEBPVP8L"u8.CopyTo(file.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(16), 16);
        BinaryPrimitives.WriteUInt128LittleEndian(file.AsSpan(20), stream);
        return file;
    }
}
