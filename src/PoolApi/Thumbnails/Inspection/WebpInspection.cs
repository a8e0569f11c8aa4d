using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Walks over the chunks of a WebP. Only the first frame of an animation is kept, because the decoder's checks are quadratic in the number of frames.
/// Lossless pixels and alpha are decoded into memory as a whole, lossy pixels line by line.
/// </summary>
internal static class WebpInspection
{
    // Measured with libwebp, rounded up.
    private const double LossySecondsPerPixel = 9e-9;
    private const double LossySecondsPerByte = 40e-9;
    private const double LosslessSecondsPerPixel = 30e-9;
    private const double AlphaSecondsPerPixel = 18e-9;
    private const double CanvasSecondsPerPixel = 15e-9;
    private const double SecondsPerGroup = 30e-6;
    private const double BytesPerGroup = 20_000;
    private const double LossyBytes = 0.1;
    private const double LosslessBytes = 4.1;
    private const double RawAlphaBytes = 1.1;
    private const double CanvasBytes = 6;

    private const int HeaderLength = 12;
    private const int ChunkHeader = 8;
    private const int FrameHeader = 16;
    private const byte AnimationFlag = 0x02;

    public static DecodeCost Walk(ReadOnlySpan<byte> image, ref Excerpt excerpt)
    {
        excerpt.Keep(image[..HeaderLength]);
        var picture = new Picture();
        double canvas = 0;
        (int Width, int Height) area = default;
        int frames = 0;
        uint seen = 0;
        int at = HeaderLength;
        while (TryReadChunk(image, at, out ReadOnlySpan<byte> chunk))
        {
            ReadOnlySpan<byte> type = chunk[..4];
            ReadOnlySpan<byte> data = chunk[ChunkHeader..];
            at += chunk.Length;
            if (type.SequenceEqual("ANMF"u8))
            {
                if (frames++ == 0)
                {
                    excerpt.Keep(chunk);
                    if (data.Length > FrameHeader)
                    {
                        picture.ReadAll(data[FrameHeader..]);
                        excerpt.Frame = new FrameArea(
                            2 * UInt24(data), 2 * UInt24(data[3..]), UInt24(data[6..]) + 1, UInt24(data[9..]) + 1, area.Width, area.Height);
                    }
                }
                else
                {
                    excerpt.DropAlways(chunk.Length);
                }
                continue;
            }
            if (!IsNeeded(type, ref seen))
            {
                excerpt.Drop(chunk.Length);
                continue;
            }
            excerpt.Keep(chunk);
            if (type.SequenceEqual("VP8X"u8) && data.Length >= 10)
            {
                area = (UInt24(data[4..]) + 1, UInt24(data[7..]) + 1);
                if ((data[0] & AnimationFlag) != 0) canvas = (double)area.Width * area.Height;
            }
            else
            {
                picture.Read(type, data);
            }
        }
        // An animation may be truncated after the first frame, since only that is shown.
        bool isCut = frames > 0 && image.Length - ChunkHeader < BinaryPrimitives.ReadUInt32LittleEndian(image[4..]);
        if (isCut) excerpt.DropAlways(image.Length - at);
        else excerpt.Keep(image[at..]);
        if (excerpt.IsWorthCopying || isCut)
        {
            Span<byte> size = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(size, excerpt.Length - ChunkHeader);
            excerpt.Patch(4, size);
        }
        picture.Finish();
        return new DecodeCost(
            picture.Seconds + canvas * CanvasSecondsPerPixel,
            picture.Bytes + canvas * CanvasBytes,
            canvas > 0
                ? $"an animation of {DecodeCost.Megapixels(canvas)}"
                : $"{(picture.IsLossless ? "lossless " : "")}{DecodeCost.Megapixels(picture.Pixels)}{(picture.HasAlpha ? " with alpha" : "")}{picture.GroupsInWords}",
            Math.Max(canvas, picture.Pixels));
    }

    /// <summary>
    /// The cost of a picture within another container, such as a strip or tile of a TIFF. Infinite if the stream is not a whole WebP, or has chunks that its
    /// picture does not need. The decoder of such streams differs from that of a file: it decodes incomplete chunks and streams without a container. Of two
    /// chunks of alpha it decodes the second one.
    /// </summary>
    public static DecodeCost OfStream(ReadOnlySpan<byte> stream)
    {
        var excerpt = new Excerpt();
        DecodeCost cost = ImageSniffer.TryRecognise(stream, out ImageKind? kind) && kind == ImageKind.Webp ? Walk(stream, ref excerpt) : DecodeCost.Unknown;
        return cost.Pixels > 0 && !excerpt.HasDropped ? cost : new DecodeCost(double.PositiveInfinity, 0, "");
    }

    private static bool TryReadChunk(ReadOnlySpan<byte> image, int at, out ReadOnlySpan<byte> chunk)
    {
        chunk = default;
        if (image.Length - at < ChunkHeader) return false;
        long length = BinaryPrimitives.ReadUInt32LittleEndian(image[(at + 4)..]);
        // The last chunk may lack its padding byte.
        if (length > image.Length - at - ChunkHeader) return false;
        chunk = image.Slice(at, (int)Math.Min(ChunkHeader + length + (length & 1), image.Length - at));
        return true;
    }

    // The picture, its colours and its orientation, each once.
    private static bool IsNeeded(ReadOnlySpan<byte> type, ref uint seen)
    {
        int index = type switch
        {
            [(byte)'V', (byte)'P', (byte)'8', (byte)' '] or [(byte)'V', (byte)'P', (byte)'8', (byte)'L'] => 0,
            [(byte)'V', (byte)'P', (byte)'8', (byte)'X'] => 1,
            [(byte)'A', (byte)'L', (byte)'P', (byte)'H'] => 2,
            [(byte)'A', (byte)'N', (byte)'I', (byte)'M'] => 3,
            [(byte)'I', (byte)'C', (byte)'C', (byte)'P'] => 4,
            [(byte)'E', (byte)'X', (byte)'I', (byte)'F'] => 5,
            _ => -1,
        };
        if (index < 0 || (seen >> index & 1) == 1) return false;
        seen |= 1u << index;
        return true;
    }

    private static int UInt24(ReadOnlySpan<byte> bytes) => bytes[0] | bytes[1] << 8 | bytes[2] << 16;

    /// <summary>The coded picture and its alpha.</summary>
    private ref struct Picture
    {
        private bool _packedAlpha;
        private ReadOnlySpan<byte> _alpha;
        private int _length;
        private int _width;
        private int _height;
        private double _groups;

        public double Pixels { get; private set; }

        public bool IsLossless { get; private set; }

        public bool HasAlpha { get; private set; }

        /// <summary>The number of its prefix codes in words, if there are more than encoders write.</summary>
        public readonly string GroupsInWords => _groups > 4096 ? FormattableString.Invariant($" with {_groups:0} groups of prefix codes") : "";

        public readonly double Seconds => _groups * SecondsPerGroup + (IsLossless
            ? Pixels * LosslessSecondsPerPixel
            : Pixels * (LossySecondsPerPixel + (HasAlpha ? AlphaSecondsPerPixel : 0)) + _length * LossySecondsPerByte);

        // Compressed alpha is a lossless picture of its own.
        public readonly double Bytes => _groups * BytesPerGroup + Pixels * (IsLossless ? LosslessBytes : LossyBytes
            + (!HasAlpha ? 0 : _packedAlpha ? LosslessBytes + RawAlphaBytes : RawAlphaBytes));

        // Like the decoder, it reads up to the first coded picture.
        public void ReadAll(ReadOnlySpan<byte> chunks)
        {
            for (int at = 0; TryReadChunk(chunks, at, out ReadOnlySpan<byte> chunk); at += chunk.Length)
            {
                ReadOnlySpan<byte> type = chunk[..4];
                Read(type, chunk[ChunkHeader..]);
                if (type.SequenceEqual("VP8 "u8) || type.SequenceEqual("VP8L"u8)) return;
            }
        }

        public void Read(ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
        {
            if (type.SequenceEqual("ALPH"u8) && data.Length > 0)
            {
                HasAlpha = true;
                if (!_packedAlpha && (data[0] & 3) != 0)
                {
                    _packedAlpha = true;
                    _alpha = data[1..];
                }
            }
            else if (type.SequenceEqual("VP8 "u8) && data.Length >= 10)
            {
                _length = data.Length;
                Measure(BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(data[8..]) & 0x3FFF);
            }
            else if (type.SequenceEqual("VP8L"u8) && data.Length >= 5)
            {
                IsLossless = true;
                uint sizes = BinaryPrimitives.ReadUInt32LittleEndian(data[1..]);
                Measure((int)(sizes & 0x3FFF) + 1, (int)(sizes >> 14 & 0x3FFF) + 1);
                _groups += Vp8lStream.CountGroups(data[5..], _width, _height);
            }
        }

        /// <summary>Reads compressed alpha, which precedes the picture, once the picture's size is known.</summary>
        public void Finish()
        {
            if (_packedAlpha && Pixels > 0) _groups += Vp8lStream.CountGroups(_alpha, _width, _height);
        }

        private void Measure(int width, int height)
        {
            Pixels = Math.Max(Pixels, (double)width * height);
            (_width, _height) = (width, height);
        }
    }
}
