using PoolApi.Thumbnails.Avif;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Estimates the cost of an AVIF from its items. A derived image costs the sum of its references, also if several refer to the same item, because the
/// decoder decodes each. The cost of a coded image follows from its AV1 stream, not from what the container declares. Image sequences are hidden from the
/// decoder.
/// </summary>
internal static class AvifInspection
{
    // Measured with libheif and libaom, rounded up.
    private const double SecondsPerPixel = 35e-9;
    private const double SecondsPerByte = 170e-9;
    private const double BytesPerPixel = 16;

    // The factors of both for more than 8 bits, and for a profile with full colours or 12 bits.
    private const double DeepFactor = 1.3;
    private const double FullFactor = 1.7;

    private const double DerivedSecondsPerPixel = 10e-9;
    private const double DerivedBytesPerPixel = 8;

    private const int MaxDepth = 8;

    public static DecodeCost Walk(ReadOnlySpan<byte> image, ref Excerpt excerpt)
    {
        excerpt.Keep(image);
        AvifItems items = AvifItems.Read(image);
        if (!items.IsKnown) return DecodeCost.Unknown;

        if (items.IsTooLong)
            return new DecodeCost(double.PositiveInfinity, 0, FormattableString.Invariant($"more than {AvifItems.MaxEntries} entries in its tables of items"));

        foreach (int movie in items.Movies) excerpt.Patch(movie, "free"u8);
        excerpt.Colours = items.ColoursOfPrimary(image);
        Cost cost = new Costs(items).OfPrimary(image);
        string what = double.IsFinite(cost.Pixels) ? DecodeCost.Megapixels(cost.Pixels) + " in its coded images" : "coded images in pieces that overlap";
        return new DecodeCost(cost.Seconds, cost.Bytes, what, items.Find(items.Primary)?.Area ?? 0);
    }

    private readonly record struct Cost(double Seconds, double Bytes, double Pixels);

    /// <summary>Computes the costs of items. Linear although costs multiply: each item is computed once, and each reference is one addition.</summary>
    private sealed class Costs(AvifItems items)
    {
        private readonly Dictionary<AvifItem, Cost> _known = [];

        public Cost OfPrimary(ReadOnlySpan<byte> file)
        {
            Cost cost = Of(items.Primary, file, 0);
            // The image's alpha is decoded too.
            foreach ((uint from, uint to) in items.Auxiliaries)
            {
                if (to != items.Primary) continue;
                Cost alpha = Of(from, file, 0);
                cost = new Cost(cost.Seconds + alpha.Seconds, Math.Max(cost.Bytes, alpha.Bytes) + 2 * alpha.Pixels, cost.Pixels + alpha.Pixels);
            }
            return cost;
        }

        private Cost Of(uint id, ReadOnlySpan<byte> file, int depth)
        {
            if (depth > MaxDepth || items.Find(id) is not { } item) return default;
            if (_known.TryGetValue(item, out Cost known)) return known;

            // Ends a cycle of references. The decoder refuses it.
            _known[item] = default;
            Cost cost = item.Sources.Count > 0 ? OfDerived(item, file, depth) : OfCoded(item, file);
            _known[item] = cost;
            return cost;
        }

        private Cost OfDerived(AvifItem item, ReadOnlySpan<byte> file, int depth)
        {
            double seconds = 0, bytes = 0, pixels = 0;
            foreach (uint source in item.Sources)
            {
                Cost part = Of(source, file, depth + 1);
                seconds += part.Seconds;
                pixels += part.Pixels;
                bytes = Math.Max(bytes, part.Bytes);
            }
            return new Cost(seconds + item.Area * DerivedSecondsPerPixel, bytes + item.Area * DerivedBytesPerPixel, pixels);
        }

        private Cost OfCoded(AvifItem item, ReadOnlySpan<byte> file)
        {
            Av1Stream stream = Measure(item, file);
            double area = Math.Max(stream.Area, item.Area);
            double factor = stream.IsFull ? FullFactor : stream.IsDeep ? DeepFactor : 1;
            double pixels = area * Math.Max(1, stream.Frames);
            return new Cost(pixels * SecondsPerPixel * factor + stream.Length * SecondsPerByte, area * BytesPerPixel * factor, pixels);
        }

        private Av1Stream Measure(AvifItem item, ReadOnlySpan<byte> file)
        {
            if (item.Pieces.Count == 1)
                return Av1Stream.Measure(items.Slice(file, item, 0));

            // Several pieces may refer to the same bytes, so no more bytes than the file has are put together.
            using var whole = new MemoryStream();
            for (int n = 0; n < item.Pieces.Count; n++)
            {
                ReadOnlySpan<byte> piece = items.Slice(file, item, n);
                if (whole.Length + piece.Length > file.Length) return new Av1Stream(double.PositiveInfinity, 1, false, false, 0);
                whole.Write(piece);
            }
            return Av1Stream.Measure(whole.GetBuffer().AsSpan(0, (int)whole.Length));
        }
    }
}
