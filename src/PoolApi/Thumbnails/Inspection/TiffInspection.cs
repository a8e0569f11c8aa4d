using PoolApi.Thumbnails.Tiff;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Reads the first directory of a TIFF or BigTIFF. The decoder would count the pages and read the values of every tag, so it gets a copy without the
/// pages and tags that the picture does not need. The cost of strips and tiles follows from their sizes and from the bytes that their tables refer to.
/// </summary>
internal static class TiffInspection
{
    // Measured with libtiff and libvips, rounded up.
    private const double SecondsPerPixel = 3e-9;
    private const double SecondsPerPlainByte = 2e-9;
    private const double SecondsPerPackedByte = 5e-9;
    private const double SecondsPerInkPixel = 65e-9;
    private const double SecondsPerSegment = 10e-6;
    private const double SecondsPerReferredByte = 0.5e-9;
    private const double SecondsPerJpegVisit = 0.3e-9;

    // The decoder copies each WebP once it is decoded.
    private const double BytesPerWebpPixel = 4;

    // A pixel of subsampled YCbCr, once decoded, and as it is coded: chroma that two pixels share is the most.
    private const double RgbaBytes = 4;
    private const double SubsampledBytes = 2;

    private const int JpegCompression = 7;
    private const int WebpCompression = 50001;
    private const int Rgb = 2;
    private const int SeparatedInks = 5;
    private const int Ycc = 6;
    private const int Planes = 2;

    /// <summary>Walks over the first directory.</summary>
    /// <param name="image">The file.</param>
    /// <param name="mostSeconds">The limit of the CPU time. Once strips or tiles exceed it, no further one is inspected.</param>
    /// <param name="excerpt">Collects what the decoder needs.</param>
    public static DecodeCost Walk(ReadOnlySpan<byte> image, double mostSeconds, ref Excerpt excerpt)
    {
        excerpt.Keep(image);
        if (!TiffDirectory.TryRead(image, out TiffDirectory directory)) return DecodeCost.Unknown;

        var page = new Page();
        Span<byte> count = stackalloc byte[8];
        var seen = new TagSet(stackalloc ulong[TagSet.Words]);
        int kept = 0;
        bool changes = directory.Next != 0;
        double dropped = 0;
        for (int n = 0; n < directory.Count; n++)
        {
            TiffEntry entry = directory.EntryAt(n);
            // If a tag occurs twice, the decoder reads the first one too.
            if (!IsNeeded((int)entry.Tag) || !seen.Add(entry.Tag))
            {
                dropped += entry.ByteCount;
                continue;
            }
            page.Read(entry);
            kept++;
        }
        // For a fax the decoder's warnings count as errors, so it must not warn about unknown tags.
        changes |= dropped > 64 * 1024 || (kept < directory.Count && page.IsFax);
        if (changes) Rewrite(directory, kept, count, ref excerpt);
        return page.Cost(image.Length, mostSeconds);
    }

    // Moves the needed entries to the front, sets their number, and removes the link to the next directory.
    private static void Rewrite(scoped TiffDirectory directory, int kept, scoped Span<byte> number, ref Excerpt excerpt)
    {
        int at = directory.EntriesAt;
        var seen = new TagSet(stackalloc ulong[TagSet.Words]);
        for (int n = 0; n < directory.Count; n++)
        {
            TiffEntry entry = directory.EntryAt(n);
            if (!IsNeeded((int)entry.Tag) || !seen.Add(entry.Tag)) continue;
            excerpt.Patch(at, entry.Bytes);
            at += entry.Bytes.Length;
        }
        number.Clear();
        excerpt.Patch(at, number[..directory.PointerLength]);
        directory.WriteCount(number, kept);
        excerpt.Patch(directory.At, number[..directory.CountLength]);
    }

    private static bool IsNeeded(int tag) => tag is (>= 254 and <= 259) or 262 or 263 or (>= 264 and <= 266) or 273 or 274 or (>= 277 and <= 284)
        or (>= 290 and <= 293) or 296 or 297 or 301 or (>= 317 and <= 325) or 332 or 334 or (>= 336 and <= 347) or (>= 512 and <= 521)
        or (>= 529 and <= 532) or 34675 or 37439 or 50674;

    /// <summary>The tags that a directory had so far.</summary>
    private readonly ref struct TagSet
    {
        /// <summary>The length of the memory for all tags.</summary>
        public const int Words = (ushort.MaxValue + 1) / 64;

        private readonly Span<ulong> _bits;

        public TagSet(Span<ulong> bits)
        {
            bits.Clear();
            _bits = bits;
        }

        /// <summary>Adds a tag; <see langword="false"/> if the directory had it before.</summary>
        public bool Add(TiffTag tag)
        {
            ref ulong word = ref _bits[(int)tag / 64];
            ulong bit = 1UL << ((int)tag % 64);
            bool isNew = (word & bit) == 0;
            word |= bit;
            return isNew;
        }
    }

    private ref struct Page
    {
        private double _width;
        private double _height;
        private double _bits;
        private double _samples;
        private double _rowsPerStrip;
        private double _tileWidth;
        private double _tileHeight;
        private double _compression;
        private double _photometric;
        private double _planes;
        private TiffEntry _subsampling;
        private TiffEntry _offsets;
        private TiffEntry _lengths;

        public readonly bool IsFax => TiffLayout.IsFaxCompression((long)_compression);

        public void Read(TiffEntry entry)
        {
            switch ((int)entry.Tag)
            {
                case 256: _width = entry.ValueAt(0); break;
                case 257: _height = entry.ValueAt(0); break;
                case 258: _bits = entry.ValueAt(0); break;
                case 259: _compression = entry.ValueAt(0); break;
                case 262: _photometric = entry.ValueAt(0); break;
                case 277: _samples = entry.ValueAt(0); break;
                case 278: _rowsPerStrip = entry.ValueAt(0); break;
                case 284: _planes = entry.ValueAt(0); break;
                case 322: _tileWidth = entry.ValueAt(0); break;
                case 323: _tileHeight = entry.ValueAt(0); break;
                case 273 or 324: _offsets = entry; break;
                case 279 or 325: _lengths = entry; break;
                case 530: _subsampling = entry; break;
            }
        }

        // The decoder returns such pixels as RGBA. JPEGs have their subsampling in themselves.
        private readonly bool IsSubsampled =>
            _photometric == Ycc && _compression != JpegCompression && !(_subsampling.Count > 1 && _subsampling.ValueAt(0) == 1 && _subsampling.ValueAt(1) == 1);

        public readonly DecodeCost Cost(int fileLength, double mostSeconds)
        {
            double samples = Math.Max(1, _samples);
            double bytesPerPixel = Math.Max(1, samples * Math.Max(1, _bits) / 8);
            bool tiled = _tileWidth > 0 && _tileHeight > 0;
            double across = tiled ? Math.Ceiling(_width / _tileWidth) : 1;
            double segmentWidth = tiled ? _tileWidth : _width;
            double segmentHeight = tiled ? _tileHeight : Math.Min(_height, _rowsPerStrip > 0 ? _rowsPerStrip : _height);
            double down = segmentHeight > 0 ? Math.Ceiling(_height / segmentHeight) : 0;
            double decoded = across * segmentWidth * (tiled ? down * segmentHeight : _height);

            Streams referred = Referred(fileLength, mostSeconds);
            double seconds = decoded * SecondsPerPixel
                + decoded * bytesPerPixel * (_compression is 0 or 1 ? SecondsPerPlainByte : SecondsPerPackedByte)
                + (_photometric == SeparatedInks ? decoded * SecondsPerInkPixel : 0)
                + across * down * SecondsPerSegment
                + referred.Length * SecondsPerReferredByte
                + referred.Scans * segmentWidth * segmentHeight * bytesPerPixel * SecondsPerJpegVisit
                + referred.Seconds;
            // Two rows of tiles are in memory, or strips unless they are read line by line. The lines are in memory in both cases.
            double bytes = (tiled
                    ? 2 * across * segmentWidth * segmentHeight * (IsSubsampled ? RgbaBytes : bytesPerPixel)
                    : StripBytes(segmentWidth * segmentHeight, down, samples, bytesPerPixel))
                + LineMemory.Of(_width, _height, IsSubsampled ? RgbaBytes : samples, isDeep: _bits > 8)
                + referred.Bytes;
            return new DecodeCost(
                seconds,
                bytes,
                double.IsInfinity(referred.Seconds) && _compression == WebpCompression ? "strips or tiles that overlap, or a WebP among them that is incomplete or has unusual chunks" : FormattableString.Invariant(
                    $"{across * down:0} {(tiled ? "tiles" : "strips")} of {DecodeCost.Megapixels(segmentWidth * segmentHeight)}, which refer to {referred.Length / 1e6:0.#} MB"),
                _width * _height);
        }

        // Strips of whole pixels are read line by line, or have few lines, which LineMemory includes. Those of YCbCr, whose lines may share chroma, and those
        // of planes are decoded as a whole, and two of them are in memory.
        private readonly double StripBytes(double pixels, double strips, double samples, double bytesPerPixel)
        {
            bool hasPlanes = _planes == Planes;
            if (_photometric != Ycc && !hasPlanes) return 0;

            double decoded = Math.Min(2, strips);
            if (IsSubsampled) return pixels * (decoded * RgbaBytes + SubsampledBytes);
            // Also in memory: a strip before the conversion of its samples, except for RGB and inks, which are not converted, and a strip of one plane.
            double converted = _photometric is Rgb or SeparatedInks ? 0 : 1;
            return pixels * bytesPerPixel * (decoded + converted + (hasPlanes ? 1 / samples : 0));
        }

        // Each reference costs its bytes, also if many refer to the same ones. JPEG and WebP streams are inspected as long as they have no more bytes together
        // than twice the file; the cost is infinite if they have more. A stream that is referred to several times in a row is inspected once.
        private readonly Streams Referred(int fileLength, double mostSeconds)
        {
            var sum = new Streams();
            double inspected = 0;
            (double offset, double length) last = (-1, -1);
            var stream = new Streams();
            for (int n = 0; n < _lengths.Count; n++)
            {
                double length = Math.Min(_lengths.ValueAt(n), fileLength);
                // Beyond the limit the image is refused without a look at further streams.
                if (_compression is JpegCompression or WebpCompression && sum.Seconds <= mostSeconds)
                {
                    double offset = _offsets.ValueAt(n);
                    if ((offset, length) != last)
                    {
                        last = (offset, length);
                        inspected += length;
                        stream = inspected > 2.0 * fileLength ? Streams.Refused : Inspect(_lengths.FileAt(offset, length));
                    }
                }
                // The decoder reads a compressed strip or tile into memory as a whole.
                sum = sum.With(stream with { Length = length, Bytes = stream.Bytes + (_compression is 0 or 1 ? 0 : length) });
            }
            return sum;
        }

        private readonly Streams Inspect(ReadOnlySpan<byte> stream)
        {
            if (_compression == JpegCompression)
            {
                // The decoder keeps the coefficients of a stream of several scans. It accepts a last strip of more lines than the page has left.
                DecodeCost jpeg = JpegInspection.OfStream(stream);
                if (double.IsInfinity(jpeg.Seconds)) return Streams.Refused;
                return new Streams(0, Math.Max(JpegInspection.CountScans(stream), 1), jpeg.Bytes > 0 ? jpeg.Seconds : 0, jpeg.Bytes);
            }
            DecodeCost cost = WebpInspection.OfStream(stream);
            return new Streams(0, 0, cost.Seconds, cost.Bytes + cost.Pixels * BytesPerWebpPixel);
        }
    }

    /// <summary>What the strips or tiles refer to, and its cost beyond that of their size.</summary>
    /// <param name="Length">The bytes, counted once for each reference.</param>
    /// <param name="Scans">The scans of JPEGs.</param>
    /// <param name="Seconds">The CPU time of WebPs, and of JPEGs of several scans. Infinite if the image is refused at any limits.</param>
    /// <param name="Bytes">The most memory of one: its compressed bytes, with that of a WebP, or of the coefficients of a JPEG.</param>
    private readonly record struct Streams(double Length, double Scans, double Seconds, double Bytes)
    {
        public static Streams Refused { get; } = new(0, 0, double.PositiveInfinity, 0);

        public Streams With(Streams next) => new(Length + next.Length, Scans + next.Scans, Seconds + next.Seconds, Math.Max(Bytes, next.Bytes));
    }
}
