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
    public static byte[] Animated(
        byte[] still, int frameWidth, int frameHeight, int canvasWidth, int canvasHeight, int frames, int left = 0, int top = 0, bool hasAlpha = true)
    {
        byte[] image = Picture(still);
        byte[] frame = Chunk("ANMF", new ByteWriter(false)
            .U24(left / 2).U24(top / 2).U24(frameWidth - 1).U24(frameHeight - 1).U24(100).U8(0).Raw(image).ToArray());
        var body = new ByteWriter(false).Text("WEBP")
            .Raw(Chunk("VP8X", new ByteWriter(false).U32(hasAlpha ? Animation | Alpha : Animation).U24(canvasWidth - 1).U24(canvasHeight - 1).ToArray()))
            .Raw(Chunk("ANIM", new byte[6]));
        for (int n = 0; n < frames; n++) body.Raw(frame);
        return Riff(body);
    }

    /// <summary>A still image, followed by chunks that no reader knows.</summary>
    public static byte[] WithChunks(byte[] still, int width, int height, string type, int count, int length)
    {
        var body = new ByteWriter(false).Text("WEBP")
            .Raw(Chunk("VP8X", new ByteWriter(false).U32(0).U24(width - 1).U24(height - 1).ToArray()))
            .Raw(Picture(still));
        byte[] chunk = Chunk(type, new byte[length]);
        for (int n = 0; n < count; n++) body.Raw(chunk);
        return Riff(body);
    }

    /// <summary>
    /// A lossless picture of pixels that take no bits. Each block of 4 × 4 pixels has a group of prefix codes of its own, up to the given number of
    /// groups. A group takes 20 bits, and its block takes two bytes.
    /// </summary>
    public static byte[] Lossless(int width, int height, int groups, bool asAlpha = false)
    {
        var bits = new BitWriter();
        if (!asAlpha) bits.Write(0x2F, 8).Write(width - 1, 14).Write(height - 1, 14).Write(0, 4);
        // No transform, no cache, groups in blocks of 4 × 4.
        bits.Write(0, 1).Write(0, 1).Write(1, 1).Write(0, 3);
        // The image of the groups' indices: no cache; green and red have all values in 8 bits, blue, alpha and distance are 0.
        bits.Write(0, 1);
        AllBytes(bits, hasMore: true);
        AllBytes(bits, hasMore: false);
        for (int n = 0; n < 3; n++) bits.Write(1, 4);
        int blocks = (width + 3) / 4 * ((height + 3) / 4);
        for (int block = 0; block < blocks; block++)
        {
            int index = Math.Min(block, groups - 1);
            bits.WriteReversed(index & 0xFF, 8).WriteReversed(index >> 8, 8);
        }
        for (int n = 0; n < 5 * groups; n++) bits.Write(1, 4);
        byte[] stream = [.. bits.ToArray(), .. new byte[8]];
        return asAlpha ? stream : Riff(new ByteWriter(false).Text("WEBP").Raw(Chunk("VP8L", stream)));

        // A prefix code of 256 symbols of 8 bits each.
        static void AllBytes(BitWriter bits, bool hasMore)
        {
            bits.Write(0, 1).Write(8, 4);
            for (int n = 0; n < 11; n++) bits.Write(0, 3);
            bits.Write(1, 3);
            if (hasMore) bits.Write(1, 1).Write(3, 3).Write(254, 8);
            else bits.Write(0, 1);
        }
    }

    /// <summary>
    /// The beginning of a lossless stream whose image of indices takes some fifteen bytes for a picture of any size: its only green symbol is a copy of
    /// one pixel, which takes no bits.
    /// </summary>
    public static byte[] CopiesThatTakeNoBits()
    {
        // No transform, no cache, groups in blocks of 4 × 4, and no cache in the image of indices.
        var bits = new BitWriter().Write(0, 1).Write(0, 1).Write(1, 1).Write(0, 3).Write(0, 1);
        // The lengths of the green code: 256 zeros (138 and 118), a 1, and 23 zeros. Code 0 is the length 1, code 1 a run of zeros.
        bits.Write(0, 1).Write(0, 4).Write(0, 3).Write(1, 3).Write(0, 3).Write(1, 3).Write(0, 1);
        bits.Write(1, 1).Write(127, 7).Write(1, 1).Write(107, 7).Write(0, 1).Write(1, 1).Write(12, 7);
        for (int n = 0; n < 4; n++) bits.Write(1, 4); // red, blue, alpha and distance are 0
        return [.. bits.ToArray(), .. new byte[8]];
    }

    /// <summary>A lossy picture with packed alpha of this many groups.</summary>
    public static byte[] WithAlphaGroups(byte[] still, int width, int height, int groups) => Riff(new ByteWriter(false).Text("WEBP")
        .Raw(Chunk("VP8X", new ByteWriter(false).U32(Alpha).U24(width - 1).U24(height - 1).ToArray()))
        .Raw(Chunk("ALPH", [1, .. Lossless(width, height, groups, asAlpha: true)]))
        .Raw(Picture(still)));

    /// <summary>An animation of one frame with this many lossless pictures of one pixel, each with three transforms.</summary>
    public static byte[] FrameOfPictures(int count)
    {
        var bits = new BitWriter().Write(0x2F, 8).Write(0, 32);
        for (int transform = 0; transform < 4; transform++)
        {
            if (transform == 2) continue;
            bits.Write(1, 1).Write(transform, 2);
            if (transform == 3) bits.Write(255, 8);
            else bits.Write(0, 3);
            OneColour(bits);
        }
        OneColour(bits.Write(0, 1).Write(0, 1).Write(1, 1).Write(0, 3));
        byte[] picture = Chunk("VP8L", bits.ToArray());
        var frame = new ByteWriter(false).Raw(new byte[16]);
        for (int n = 0; n < count; n++) frame.Raw(picture);
        return Riff(new ByteWriter(false).Text("WEBP")
            .Raw(Chunk("VP8X", new ByteWriter(false).U32(Animation).U24(0).U24(0).ToArray()))
            .Raw(Chunk("ANIM", new byte[6]))
            .Raw(Chunk("ANMF", frame.ToArray())));

        // No cache, and five codes of one symbol.
        static void OneColour(BitWriter bits)
        {
            bits.Write(0, 1);
            for (int n = 0; n < 5; n++) bits.Write(1, 4);
        }
    }

    private sealed class BitWriter
    {
        private readonly List<byte> _bytes = [];
        private int _count;

        public BitWriter Write(int value, int bits)
        {
            for (int n = 0; n < bits; n++, _count++)
            {
                if (_count % 8 == 0) _bytes.Add(0);
                _bytes[^1] |= (byte)((value >> n & 1) << (_count % 8));
            }
            return this;
        }

        public BitWriter WriteReversed(int value, int bits)
        {
            for (int n = bits - 1; n >= 0; n--) Write(value >> n & 1, 1);
            return this;
        }

        public byte[] ToArray() => [.. _bytes];
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
