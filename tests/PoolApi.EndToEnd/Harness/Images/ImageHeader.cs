using System.Buffers.Binary;

namespace PoolApi.EndToEnd.Harness.Images;

/// <summary>The format and size of an image, read from its bytes and not with the library that made it.</summary>
/// <param name="Format">webp, jpeg, png or avif.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
internal sealed record ImageHeader(string Format, int Width, int Height)
{
    /// <summary>Reads the header; fails the test if the bytes are none of the four formats.</summary>
    public static ImageHeader Read(ReadOnlySpan<byte> image)
    {
        if (image.Length > 30 && image[..4].SequenceEqual("RIFF"u8) && image[8..12].SequenceEqual("WEBP"u8))
            return WebP(image);
        if (image.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G']))
            return new("png", BinaryPrimitives.ReadInt32BigEndian(image[16..]), BinaryPrimitives.ReadInt32BigEndian(image[20..]));
        if (image.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
            return Jpeg(image);
        if (image.Length > 12 && image[4..8].SequenceEqual("ftyp"u8) && image[8..12].SequenceEqual("avif"u8))
            return Avif(image);
        throw new Xunit.Sdk.XunitException($"not an image: {Convert.ToHexString(image[..Math.Min(16, image.Length)])}");
    }

    private static ImageHeader WebP(ReadOnlySpan<byte> image)
    {
        var kind = image[12..16];
        if (kind.SequenceEqual("VP8 "u8))
        {
            // A key frame: 3 bytes of frame tag, the start code 9D 01 2A, then 14 bits each of width and height.
            Assert.True(image[23..26].SequenceEqual((ReadOnlySpan<byte>)[0x9D, 0x01, 0x2A]), "no VP8 start code");
            int width = BinaryPrimitives.ReadUInt16LittleEndian(image[26..]), height = BinaryPrimitives.ReadUInt16LittleEndian(image[28..]);
            return new("webp", width & 0x3FFF, height & 0x3FFF);
        }

        if (kind.SequenceEqual("VP8L"u8))
        {
            uint bits = BinaryPrimitives.ReadUInt32LittleEndian(image[21..]);
            return new("webp", (int)(bits & 0x3FFF) + 1, (int)((bits >> 14) & 0x3FFF) + 1);
        }

        Assert.True(kind.SequenceEqual("VP8X"u8), "no known WebP chunk");
        return new("webp", UInt24(image[24..]) + 1, UInt24(image[27..]) + 1);
    }

    private static ImageHeader Jpeg(ReadOnlySpan<byte> image)
    {
        int at = 2;
        while (at + 9 < image.Length && image[at] == 0xFF)
        {
            byte marker = image[at + 1];
            // A start of frame: C0 to CF, except C4 (Huffman tables), C8 (reserved) and CC (arithmetic coding).
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
            {
                int height = BinaryPrimitives.ReadUInt16BigEndian(image[(at + 5)..]);
                int width = BinaryPrimitives.ReadUInt16BigEndian(image[(at + 7)..]);
                return new("jpeg", width, height);
            }

            at += 2 + BinaryPrimitives.ReadUInt16BigEndian(image[(at + 2)..]);
        }

        throw new Xunit.Sdk.XunitException("a JPEG without a frame");
    }

    private static ImageHeader Avif(ReadOnlySpan<byte> image)
    {
        // The image's spatial extents: box `ispe`, 4 bytes of version and flags, width, height.
        int at = image.IndexOf("ispe"u8);
        Assert.True(at > 0, "an AVIF without ispe");
        return new("avif", BinaryPrimitives.ReadInt32BigEndian(image[(at + 8)..]), BinaryPrimitives.ReadInt32BigEndian(image[(at + 12)..]));
    }

    private static int UInt24(ReadOnlySpan<byte> bytes) => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
}
