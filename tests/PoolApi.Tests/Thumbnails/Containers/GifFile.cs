namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>GIFs written block by block.</summary>
internal static class GifFile
{
    /// <summary>Frames of one pixel on a canvas, each with <paramref name="comments"/> comments before it.</summary>
    public static byte[] Animated(int canvasWidth, int canvasHeight, int frames, int comments = 0, int left = 0, int top = 0)
    {
        var gif = new ByteWriter(false).Text("GIF89a").U16(canvasWidth).U16(canvasHeight).Raw(0x80, 0, 0).Raw(255, 0, 0, 0, 255, 0);
        for (int n = 0; n < frames; n++)
        {
            for (int c = 0; c < comments; c++) gif.Raw(0x21, 0xFE, 2, (byte)'h', (byte)'i', 0);
            gif.Raw(0x21, 0xF9, 4, 0, 10, 0, 0, 0);
            // Clear, the colour 0, end: codes of three bits.
            gif.U8(0x2C).U16(left).U16(top).U16(1).U16(1).U8(0).Raw(2, 2, 0x44, 0x01, 0);
        }
        return gif.U8(0x3B).ToArray();
    }

    /// <summary>
    /// A frame in the pixels of a smaller frame, which follows an extension whose first block is empty. Decoders skip that block, and read the start of the
    /// smaller frame as the length of the next block. So they see the larger frame.
    /// </summary>
    public static byte[] BehindEmptyBlock(int width, int height)
    {
        byte[] frame = new ByteWriter(false).U8(0x2C).U16(0).U16(0).U16(width).U16(height).U8(0).Raw(2, 2, 0x44, 0x01, 0).ToArray();
        // As a length, 0x2C (44) reaches to the zero before the larger frame, which ends the extension.
        byte[] pixels = [.. new byte[45 - 12], 0, .. frame];
        return new ByteWriter(false).Text("GIF89a").U16(1).U16(1).Raw(0x80, 0, 0).Raw(255, 0, 0, 0, 255, 0).Raw(0x21, 0xF9, 0)
            .U8(0x2C).U16(0).U16(0).U16(1).U16(1).U8(0).U8(2).U8(pixels.Length).Raw(pixels).U8(0).U8(0x3B).ToArray();
    }
}
