using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Walks over the blocks of a GIF up to the end of the first frame, and drops the rest, because the decoder would scan all blocks. The whole canvas is in
/// memory.
/// </summary>
internal static class GifInspection
{
    // Measured with libnsgif, rounded up.
    private const double SecondsPerPixel = 15e-9;
    private const double BytesPerPixel = 4.6;

    // Of the canvas alone, while its lines are resized.
    private const double CanvasBytesPerPixel = 4;

    private const int HeaderLength = 13;
    private const int DescriptorLength = 10;
    private const byte Extension = 0x21;
    private const byte ImageDescriptor = 0x2C;
    private const byte GraphicControl = 0xF9;
    private const byte Comment = 0xFE;

    public static DecodeCost Walk(ReadOnlySpan<byte> image, ref Excerpt excerpt)
    {
        if (image.Length < HeaderLength)
        {
            excerpt.Keep(image);
            return DecodeCost.Unknown;
        }
        int width = BinaryPrimitives.ReadUInt16LittleEndian(image[6..]);
        int height = BinaryPrimitives.ReadUInt16LittleEndian(image[8..]);
        int at = Math.Min(image.Length, HeaderLength + ColourTable(image[10]));
        excerpt.Keep(image[..at]);
        while (at < image.Length)
        {
            if (image[at] == Extension && image.Length - at > 2)
            {
                // In an extension other than a comment, the decoder skips the first sub-block without a check whether it is the empty one that ends the
                // extension.
                int end = SkipSubBlocks(image, image[at + 1] == Comment ? at + 2 : at + 3 + image[at + 2]);
                if (end < 0) break;
                if (image[at + 1] == GraphicControl) excerpt.Keep(image[at..end]);
                else excerpt.Drop(end - at);
                at = end;
            }
            else if (image[at] == ImageDescriptor && image.Length - at > DescriptorLength)
            {
                ReadOnlySpan<byte> descriptor = image[at..];
                // A frame that exceeds the canvas enlarges it.
                width = Math.Max(width, BinaryPrimitives.ReadUInt16LittleEndian(descriptor[1..]) + BinaryPrimitives.ReadUInt16LittleEndian(descriptor[5..]));
                height = Math.Max(height, BinaryPrimitives.ReadUInt16LittleEndian(descriptor[3..]) + BinaryPrimitives.ReadUInt16LittleEndian(descriptor[7..]));
                excerpt.Frame = new FrameArea(
                    BinaryPrimitives.ReadUInt16LittleEndian(descriptor[1..]),
                    BinaryPrimitives.ReadUInt16LittleEndian(descriptor[3..]),
                    BinaryPrimitives.ReadUInt16LittleEndian(descriptor[5..]),
                    BinaryPrimitives.ReadUInt16LittleEndian(descriptor[7..]),
                    width,
                    height);
                int end = SkipSubBlocks(image, at + DescriptorLength + ColourTable(descriptor[9]) + 1);
                if (end < 0) break;
                excerpt.Keep(image[at..end]);
                at = end;
                // Replaces all that follows by a trailer.
                if (image.Length - at > 1)
                {
                    excerpt.Keep([0x3B]);
                    excerpt.DropAlways(image.Length - at);
                    at = image.Length;
                }
                break;
            }
            else
            {
                break;
            }
        }
        excerpt.Keep(image[at..]);
        double pixels = (double)width * height;
        double bytes = Math.Max(pixels * BytesPerPixel, pixels * CanvasBytesPerPixel + LineMemory.Of(width, height, samples: 4, isDeep: false));
        return new DecodeCost(pixels * SecondsPerPixel, bytes, DecodeCost.Megapixels(pixels), pixels);
    }

    private static int ColourTable(byte flags) => (flags & 0x80) == 0 ? 0 : 3 << ((flags & 7) + 1);

    // The position after the empty block that ends the others; -1 if there is none.
    private static int SkipSubBlocks(ReadOnlySpan<byte> image, int at)
    {
        while (at < image.Length)
        {
            int length = image[at];
            at += length + 1;
            if (length == 0) return at;
        }
        return -1;
    }
}
