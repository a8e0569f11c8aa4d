using System.Buffers.Binary;
using System.IO.Compression;
using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Walks over the chunks of a PNG. Text and other chunks that the picture does not need are dropped, and so are profiles that are too long once inflated.
/// An interlaced image is decoded into memory as a whole, all others line by line.
/// </summary>
internal static class PngInspection
{
    /// <summary>The longest profile that is read, inflated. Profiles of printing presses have some 3 MB.</summary>
    public const int MaxProfileBytes = 4 * 1024 * 1024;

    // Measured with libvips, rounded up.
    private const double SecondsPerPixel = 4e-9;
    private const double SecondsPerByte = 2.5e-9;
    private const double SecondsPerDeepPixel = 12e-9;
    private const double SecondsPerDeepByte = 3.5e-9;
    private const double InterlacedSecondsPerPixel = 8e-9;
    // libvips decodes an interlaced image as a whole, and then copies it as a whole.
    private const double InterlacedBytes = 2.1;

    private const int ChunkOverhead = 12;

    public static DecodeCost Walk(ReadOnlySpan<byte> image, ref Excerpt excerpt)
    {
        excerpt.Keep(image[..8]);
        ReadOnlySpan<byte> header = default;
        bool isTransparent = false;
        uint seen = 0;
        int at = 8;
        while (image.Length - at >= ChunkOverhead)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(image[at..]);
            if (length > image.Length - at - ChunkOverhead) break;

            ReadOnlySpan<byte> chunk = image.Slice(at, (int)length + ChunkOverhead);
            ReadOnlySpan<byte> type = chunk.Slice(4, 4);
            ReadOnlySpan<byte> data = chunk.Slice(8, (int)length);
            at += chunk.Length;
            // Of the chunks before the header some are dropped, so that the decoder may get the header as the first one.
            if (header.IsEmpty && type.SequenceEqual("IHDR"u8) && length >= 13) header = data;
            isTransparent |= type.SequenceEqual("tRNS"u8);

            if (type.SequenceEqual("cICP"u8) && length >= 2) excerpt.Colours ??= new CodePoints(data[0], data[1]);

            // An upper-case letter marks a critical chunk.
            bool critical = (type[0] & 0x20) == 0;
            if (critical) excerpt.Keep(chunk);
            else if (type.SequenceEqual("zTXt"u8) || type.SequenceEqual("iTXt"u8)) excerpt.DropAlways(chunk.Length);
            else if (!IsNeeded(type, ref seen)) excerpt.Drop(chunk.Length);
            else if (type.SequenceEqual("iCCP"u8) && !IsShort(data)) excerpt.DropAlways(chunk.Length);
            else excerpt.Keep(chunk);

            if (type.SequenceEqual("IEND"u8))
            {
                excerpt.Drop(image.Length - at);
                return Estimate(header, isTransparent);
            }
        }
        excerpt.Keep(image[at..]);
        return Estimate(header, isTransparent);
    }

    private static DecodeCost Estimate(ReadOnlySpan<byte> header, bool isTransparent)
    {
        if (header.IsEmpty) return DecodeCost.Unknown;
        double width = BinaryPrimitives.ReadUInt32BigEndian(header);
        double height = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        double pixels = width * height;
        int bits = header[8];
        int channels = header[9] switch { 2 => 3, 3 => 3, 4 => 2, 6 => 4, _ => 1 };
        double bytes = pixels * channels * (bits == 16 ? 2 : 1);
        double lines = LineMemory.Of(width, height, channels + (isTransparent && channels % 2 == 1 ? 1 : 0), isDeep: bits == 16);
        bool interlaced = header[12] != 0;
        double seconds = bits == 16
            ? pixels * SecondsPerDeepPixel + bytes * SecondsPerDeepByte
            : pixels * SecondsPerPixel + bytes * SecondsPerByte;
        if (interlaced) seconds += pixels * InterlacedSecondsPerPixel;
        return new DecodeCost(
            seconds,
            interlaced ? Math.Max(bytes * InterlacedBytes, bytes + lines) : lines,
            $"{DecodeCost.Megapixels(pixels)} of {bits} bits{(interlaced ? ", interlaced" : "")}",
            pixels);
    }

    // Transparency, colours and orientation, each once.
    private static bool IsNeeded(ReadOnlySpan<byte> type, ref uint seen)
    {
        int index = type switch
        {
            [(byte)'t', (byte)'R', (byte)'N', (byte)'S'] => 0,
            [(byte)'c', (byte)'H', (byte)'R', (byte)'M'] => 1,
            [(byte)'g', (byte)'A', (byte)'M', (byte)'A'] => 2,
            [(byte)'i', (byte)'C', (byte)'C', (byte)'P'] => 3,
            [(byte)'s', (byte)'B', (byte)'I', (byte)'T'] => 4,
            [(byte)'s', (byte)'R', (byte)'G', (byte)'B'] => 5,
            [(byte)'c', (byte)'I', (byte)'C', (byte)'P'] => 6,
            [(byte)'e', (byte)'X', (byte)'I', (byte)'f'] => 7,
            [(byte)'b', (byte)'K', (byte)'G', (byte)'D'] => 8,
            [(byte)'m', (byte)'D', (byte)'C', (byte)'V'] => 9,
            [(byte)'c', (byte)'L', (byte)'L', (byte)'I'] => 10,
            _ => -1,
        };
        if (index < 0 || (seen >> index & 1) == 1) return false;
        seen |= 1u << index;
        return true;
    }

    // A name, a zero, the compression method, and the deflated profile. It is inflated no further than the limit.
    private static bool IsShort(ReadOnlySpan<byte> data)
    {
        // The best compression ratio of deflate.
        const int BestRatio = 1032;

        int name = data[..Math.Min(data.Length, 80)].IndexOf((byte)0);
        if (name < 0 || data.Length - name <= 2) return false;
        ReadOnlySpan<byte> packed = data[(name + 2)..];
        if (packed.Length <= MaxProfileBytes / BestRatio) return true;
        if (packed.Length > MaxProfileBytes) return false;

        using var profile = new ZLibStream(new MemoryStream(packed.ToArray()), CompressionMode.Decompress);
        Span<byte> piece = stackalloc byte[4096];
        try
        {
            for (long length = 0; length <= MaxProfileBytes;)
            {
                int read = profile.Read(piece);
                if (read == 0) return true;
                length += read;
            }
        }
        catch (InvalidDataException)
        {
            // The profile is damaged. The picture is shown without it.
        }
        return false;
    }
}
