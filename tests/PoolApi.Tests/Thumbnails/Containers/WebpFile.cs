using System.Buffers.Binary;

namespace PoolApi.Tests.Thumbnails.Containers;

/// <summary>WebPs written chunk by chunk.</summary>
internal static class WebpFile
{
    private const int Animation = 0x02;
    private const int Alpha = 0x10;

    /// <summary>
    /// An animation on a canvas: <paramref name="still"/>, a simple WebP of the given size, as each frame.
    /// </summary>
    public static byte[] Animated(byte[] still, int frameWidth, int frameHeight, int canvasWidth, int canvasHeight, int frames)
    {
        byte[] image = Picture(still);
        byte[] frame = Chunk("ANMF", new ByteWriter(false)
            .U24(0).U24(0).U24(frameWidth - 1).U24(frameHeight - 1).U24(100).U8(0).Raw(image).ToArray());
        var body = new ByteWriter(false).Text("WEBP")
            .Raw(Chunk("VP8X", new ByteWriter(false).U32(Animation | Alpha).U24(canvasWidth - 1).U24(canvasHeight - 1).ToArray()))
            .Raw(Chunk("ANIM", new byte[6]));
        for (int n = 0; n < frames; n++) body.Raw(frame);
        return Riff(body);
    }

    /// <summary>A still image with chunks behind it that no reader knows.</summary>
    public static byte[] WithChunks(byte[] still, int width, int height, string type, int count, int length)
    {
        var body = new ByteWriter(false).Text("WEBP")
            .Raw(Chunk("VP8X", new ByteWriter(false).U32(0).U24(width - 1).U24(height - 1).ToArray()))
            .Raw(Picture(still));
        byte[] chunk = Chunk(type, new byte[length]);
        for (int n = 0; n < count; n++) body.Raw(chunk);
        return Riff(body);
    }

    // The coded picture, without what libvips writes around it.
    private static byte[] Picture(byte[] still)
    {
        int at = still.AsSpan().IndexOf("VP8 "u8);
        int length = BinaryPrimitives.ReadInt32LittleEndian(still.AsSpan(at + 4));
        return still.AsSpan(at, 8 + length + length % 2).ToArray();
    }

    private static byte[] Riff(ByteWriter body) => new ByteWriter(false).Text("RIFF").U32(body.Length).Raw(body.ToArray()).ToArray();

    private static byte[] Chunk(string type, ReadOnlySpan<byte> data)
    {
        var chunk = new ByteWriter(false).Text(type).U32(data.Length).Raw(data);
        if (data.Length % 2 == 1) chunk.U8(0);
        return chunk.ToArray();
    }
}
