using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Estimates what decoding a JPEG costs, by one walk over its markers, and drops the segments that the picture does not need.
/// </summary>
/// <remarks>
/// If there is more than one scan, the decoder keeps the coefficients of all blocks and visits each block in each scan.
/// The decoder also keeps every application segment that it is given, with an overhead of some 200 bytes each.
/// </remarks>
internal static class JpegInspection
{
    // Measured with libjpeg-turbo, rounded up.
    private const double SecondsPerVisit = 8e-9;
    private const double SecondsPerPixel = 3e-9;
    private const double SecondsPerBaselineByte = 25e-9;
    private const double SecondsPerProgressiveByte = 60e-9;
    private const int BytesPerBlock = 128;

    private const int MaxProfileSegments = 255;

    public static DecodeCost Walk(ReadOnlySpan<byte> image, ref Excerpt excerpt)
    {
        var frame = default(Frame);
        var kept = default(KeptSegments);
        int scans = 0;
        double visits = 0;
        bool buffered = false;
        int at = 2;
        excerpt.Keep(image[..2]);
        while (TryNextMarker(image, at, out int start, out int marker))
        {
            // The bytes between two segments are a scan's data, or garbage that the decoder skips too. Fill bytes are left out: the segment behind them may be
            // dropped, and the decoder would read the last fill byte and the byte after that segment as a marker.
            excerpt.Keep(image[at..start].TrimEnd((byte)0xFF));
            if (marker is 0xD9)
            {
                excerpt.Keep(image.Slice(start, 2));
                at = image.Length;
                break;
            }
            if (marker is 0x01 or 0xD8 or (>= 0xD0 and <= 0xD7))
            {
                excerpt.Keep(image.Slice(start, 2));
                at = start + 2;
                continue;
            }
            int length = image.Length - start < 4 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(image[(start + 2)..]);
            if (length < 2 || length + 2 > image.Length - start)
            {
                at = start;
                break;
            }
            ReadOnlySpan<byte> segment = image.Slice(start, length + 2);
            at = start + segment.Length;
            if (kept.IsNeeded(marker, segment)) excerpt.Keep(segment);
            else excerpt.Drop(segment.Length);

            if (IsFrame(marker) && frame.Components == 0)
            {
                // The decoder accepts up to ten components, and the estimate is for at most four.
                if (segment.Length >= 10 && segment[9] > Frame.MaxComponents) return new DecodeCost(double.PositiveInfinity, 0, $"{segment[9]} components");
                frame = Frame.Read(marker, segment);
            }
            else if (marker == 0xDA && frame.Components > 0)
            {
                scans++;
                buffered |= frame.Progressive || segment.Length < 5 || segment[4] < frame.Components;
                visits += frame.BlocksOf(segment);
            }
        }
        excerpt.Keep(image[at..]);
        if (frame.Components == 0) return DecodeCost.Unknown;

        double seconds = frame.Pixels * SecondsPerPixel + visits * SecondsPerVisit
            + image.Length * (buffered ? SecondsPerProgressiveByte : SecondsPerBaselineByte);
        return new DecodeCost(
            seconds,
            buffered ? frame.Blocks * BytesPerBlock : 0,
            $"{scans} scan{(scans == 1 ? "" : "s")} of {DecodeCost.Megapixels(frame.Pixels)}",
            frame.Pixels);
    }

    /// <summary>The cost of a JPEG within another container, such as a strip or tile of a TIFF, by the size that its own header declares.</summary>
    public static DecodeCost OfStream(ReadOnlySpan<byte> stream)
    {
        var excerpt = new Excerpt();
        return stream.Length < 2 ? DecodeCost.Unknown : Walk(stream, ref excerpt);
    }

    /// <summary>The number of scans of a JPEG stream, such as in a strip or tile of a TIFF.</summary>
    public static int CountScans(ReadOnlySpan<byte> stream)
    {
        int scans = 0;
        int at = 0;
        while (TryNextMarker(stream, at, out int start, out int marker) && marker != 0xD9)
        {
            at = start + 2;
            if (marker is 0x01 or (>= 0xD0 and <= 0xD8)) continue;
            if (stream.Length - start < 4) break;
            if (marker == 0xDA) scans++;
            at = Math.Min(stream.Length, at + BinaryPrimitives.ReadUInt16BigEndian(stream[(start + 2)..]));
        }
        return scans;
    }

    /// <summary>
    /// Whether a stream has all markers from its start to its end, and no misplaced one, after which the decoder would invent the pixels. Some writers pad a
    /// stream to an even length.
    /// </summary>
    public static bool IsWhole(ReadOnlySpan<byte> stream)
    {
        if (!stream.StartsWith<byte>([0xFF, 0xD8])) return false;
        int at = 2;
        while (TryNextMarker(stream, at, out int start, out int marker))
        {
            at = start + 2;
            if (marker == 0xD9) return stream[at..].TrimEnd<byte>([0x00, 0xFF]).IsEmpty;
            if (marker is >= 0xD0 and <= 0xD7) continue;
            if (marker is < 0xC0 or 0xD8 or (> 0xEF and not 0xFE) || stream.Length - at < 2) return false;
            at += BinaryPrimitives.ReadUInt16BigEndian(stream[at..]);
        }
        return false;
    }

    // The last 0xFF of a run and the byte after it. 0xFF 0x00 is data.
    private static bool TryNextMarker(ReadOnlySpan<byte> image, int from, out int start, out int marker)
    {
        for (int at = from; at < image.Length; at++)
        {
            int found = image[at..].IndexOf((byte)0xFF);
            if (found < 0) break;
            at += found;
            if (at + 1 < image.Length && image[at + 1] is not (0x00 or 0xFF))
            {
                (start, marker) = (at, image[at + 1]);
                return true;
            }
        }
        (start, marker) = (image.Length, 0);
        return false;
    }

    private static bool IsFrame(int marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    /// <summary>The segments seen so far. Of application segments only those that change the picture are needed, each once.</summary>
    private struct KeptSegments
    {
        private bool _jfif;
        private bool _exif;
        private bool _adobe;
        private int _profile;

        public bool IsNeeded(int marker, ReadOnlySpan<byte> segment)
        {
            ReadOnlySpan<byte> data = segment[4..];
            return marker switch
            {
                0xE0 => data.StartsWith("JFIF\0"u8) && First(ref _jfif),
                0xE1 => data.StartsWith("Exif\0"u8) && First(ref _exif),
                0xE2 => data.StartsWith("ICC_PROFILE\0"u8) && _profile++ < MaxProfileSegments,
                0xEE => data.StartsWith("Adobe"u8) && First(ref _adobe),
                (>= 0xE0 and <= 0xEF) or 0xFE => false,
                _ => true,
            };
        }

        private static bool First(ref bool seen)
        {
            bool first = !seen;
            seen = true;
            return first;
        }
    }

    private struct Frame
    {
        public const int MaxComponents = 4;

        private double _columns;
        private double _rows;
        private int _maxHorizontal;
        private int _maxVertical;
        private uint _sampling;
        private uint _ids;

        public bool Progressive { get; private set; }

        public int Components { get; private set; }

        public double Pixels { get; private set; }

        public double Blocks { get; private set; }

        public static Frame Read(int marker, ReadOnlySpan<byte> segment)
        {
            if (segment.Length < 10 || segment[9] is 0 or > MaxComponents || segment.Length < 10 + 3 * segment[9]) return default;
            var frame = new Frame
            {
                Progressive = marker is 0xC2 or 0xC6 or 0xCA or 0xCE,
                Components = segment[9],
                _rows = Math.Ceiling(BinaryPrimitives.ReadUInt16BigEndian(segment[5..]) / 8.0),
                _columns = Math.Ceiling(BinaryPrimitives.ReadUInt16BigEndian(segment[7..]) / 8.0),
                Pixels = BinaryPrimitives.ReadUInt16BigEndian(segment[5..]) * (double)BinaryPrimitives.ReadUInt16BigEndian(segment[7..]),
                _maxHorizontal = 1,
                _maxVertical = 1,
            };
            for (int n = 0; n < frame.Components; n++)
            {
                frame._ids |= (uint)segment[10 + 3 * n] << (8 * n);
                frame._sampling |= (uint)segment[11 + 3 * n] << (8 * n);
                frame._maxHorizontal = Math.Max(frame._maxHorizontal, frame.Sampling(n) >> 4);
                frame._maxVertical = Math.Max(frame._maxVertical, frame.Sampling(n) & 15);
            }
            for (int n = 0; n < frame.Components; n++) frame.Blocks += frame.BlocksOf(n);
            return frame;
        }

        // The blocks of the components in a scan.
        public readonly double BlocksOf(ReadOnlySpan<byte> scan)
        {
            if (scan.Length < 5) return Blocks;
            double blocks = 0;
            for (int n = 0, at = 5; n < Math.Min((int)scan[4], MaxComponents) && at < scan.Length; n++, at += 2)
            {
                for (int component = 0; component < Components; component++)
                {
                    if ((byte)(_ids >> (8 * component)) != scan[at]) continue;
                    blocks += BlocksOf(component);
                    break;
                }
            }
            return blocks;
        }

        private readonly double BlocksOf(int component) =>
            Math.Ceiling(_columns * (Sampling(component) >> 4) / _maxHorizontal) * Math.Ceiling(_rows * (Sampling(component) & 15) / _maxVertical);

        private readonly int Sampling(int component) => (byte)(_sampling >> (8 * component));
    }
}
