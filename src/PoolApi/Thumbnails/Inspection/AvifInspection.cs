using PoolApi.Thumbnails.Avif;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Estimates the cost of an AVIF from its items. A derived image costs the sum of its references, also if several refer to the same item, because the
/// decoder decodes each. The cost of a coded image follows from its AV1 stream, not from what the container declares. Image sequences, further tables of
/// items and much metadata are hidden from the decoder: it would read all of them.
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

    // The decoder looks for cycles along each path of references, also to items of no pixels.
    private const double SecondsPerReference = 2e-6;

    private const int MaxDepth = 8;

    // The decoder copies the bytes of each metadata item, also if many refer to the same ones.
    private const long MaxMetadataBytes = 64 * 1024;

    public static DecodeCost Walk(ReadOnlySpan<byte> image, ref Excerpt excerpt)
    {
        excerpt.Keep(image);
        AvifItems items = AvifItems.Read(image);
        if (items.IsTooLong) return Refused(FormattableString.Invariant($"more than {AvifItems.MaxEntries} entries in its tables of items"));
        if (items.Ambiguity is { } ambiguity) return Refused(ambiguity);

        foreach (int box in items.Hidden) excerpt.Patch(box, "free"u8);
        if (!items.IsKnown) return DecodeCost.Unknown;

        if (HasMuchMetadata(items, image))
        {
            foreach ((int entry, _) in items.Metadata) excerpt.Patch(entry, "free"u8);
        }
        excerpt.Colours = items.ColoursOfPrimary(image);
        var costs = new Costs(items);
        Cost cost = costs.OfPrimary(image);
        if (costs.Refusal is { } refusal) return Refused(refusal);
        return new DecodeCost(
            cost.Seconds + cost.References * SecondsPerReference, cost.Bytes, DecodeCost.Megapixels(cost.Pixels) + " in its coded images", items.Find(items.Primary)?.Area ?? 0);
    }

    private static DecodeCost Refused(string what) => new(double.PositiveInfinity, 0, what);

    private static bool HasMuchMetadata(AvifItems items, ReadOnlySpan<byte> image)
    {
        long length = 0;
        foreach ((_, AvifItem item) in items.Metadata)
        {
            length += items.LengthOf(image, item);
            if (length > MaxMetadataBytes) return true;
        }
        return false;
    }

    private readonly record struct Cost(double Seconds, double Bytes, double Pixels, double References);

    /// <summary>Computes the costs of items. Linear although costs multiply: each item is computed once, and each reference is one addition.</summary>
    private sealed class Costs(AvifItems items)
    {
        private readonly Dictionary<AvifItem, Cost?> _known = [];
        private readonly Dictionary<int, Av1Stream> _configurations = [];
        private long _walked;

        /// <summary>The reason for refusing the image at any limits; <see langword="null"/> if there is none.</summary>
        public string? Refusal { get; private set; }

        public Cost OfPrimary(ReadOnlySpan<byte> file) => Of(items.Primary, file, 0);

        private Cost Of(uint id, ReadOnlySpan<byte> file, int depth)
        {
            if (Refusal is not null || items.Find(id) is not { } item) return default;
            if (_known.TryGetValue(item, out Cost? known)) return known ?? Refuse("items that refer to each other in a circle");
            if (depth > MaxDepth) return Refuse(FormattableString.Invariant($"items that are derived over more than {MaxDepth} levels"));
            if (ItemTypes.IsForeign(item.Type)) return Refuse("parts that are not coded as AV1");

            _known[item] = null;
            Cost references = OfReferences(item.Sources, file, depth);
            Cost cost = item.IsCoded || item.Sources.Count == 0 ? OfCoded(item, file) with { References = references.References } : OfDerived(item, references, file);
            if (item.Auxiliaries.Count > 0)
            {
                // The decoder decodes the alpha of every item too.
                Cost alpha = OfReferences(item.Auxiliaries, file, depth);
                cost = new Cost(
                    cost.Seconds + alpha.Seconds, Math.Max(cost.Bytes, alpha.Bytes) + 2 * alpha.Pixels, cost.Pixels + alpha.Pixels,
                    cost.References + alpha.References);
            }
            _known[item] = cost;
            return cost;
        }

        private Cost OfReferences(List<uint> to, ReadOnlySpan<byte> file, int depth)
        {
            double seconds = 0, bytes = 0, pixels = 0, references = to.Count;
            foreach (uint source in to)
            {
                Cost part = Of(source, file, depth + 1);
                seconds += part.Seconds;
                pixels += part.Pixels;
                references += part.References;
                bytes = Math.Max(bytes, part.Bytes);
            }
            return new Cost(seconds, bytes, pixels, references);
        }

        private Cost OfDerived(AvifItem item, Cost sources, ReadOnlySpan<byte> file)
        {
            double area = Math.Max(item.Area, items.CanvasOf(file, item));
            return sources with { Seconds = sources.Seconds + area * DerivedSecondsPerPixel, Bytes = sources.Bytes + area * DerivedBytesPerPixel };
        }

        private Cost OfCoded(AvifItem item, ReadOnlySpan<byte> file)
        {
            Av1Stream stream = Measure(item, file);
            double area = Math.Max(stream.Area, item.Area);
            double factor = stream.IsFull ? FullFactor : stream.IsDeep ? DeepFactor : 1;
            double pixels = area * Math.Max(1, stream.Frames);
            return new Cost(pixels * SecondsPerPixel * factor + stream.Length * SecondsPerByte, area * BytesPerPixel * factor, pixels, 0);
        }

        // The decoder gets the units of the configuration, then the item's bytes.
        private Av1Stream Measure(AvifItem item, ReadOnlySpan<byte> file)
        {
            if (item.Configuration is not { } configuration) return MeasureBytes(item, file);
            if (!_configurations.TryGetValue(configuration.Start.Value, out Av1Stream first))
                _configurations[configuration.Start.Value] = first = Av1Stream.Measure(file[configuration]);
            if (first.IsWhole) return first.Then(MeasureBytes(item, file));
            Refuse("a configuration that ends within a unit");
            return Av1Stream.Empty;
        }

        private Av1Stream MeasureBytes(AvifItem item, ReadOnlySpan<byte> file)
        {
            // Several items and pieces may refer to the same bytes.
            long length = items.LengthOf(file, item);
            _walked += length;
            if (_walked > 2L * file.Length || length > file.Length)
            {
                Refuse("coded images in pieces that overlap");
                return Av1Stream.Empty;
            }
            if (item.Pieces.Count == 1) return Av1Stream.Measure(items.Slice(file, item, 0));

            using var whole = new MemoryStream();
            for (int n = 0; n < item.Pieces.Count; n++) whole.Write(items.Slice(file, item, n));
            return Av1Stream.Measure(whole.GetBuffer().AsSpan(0, (int)whole.Length));
        }

        private Cost Refuse(string reason)
        {
            Refusal ??= reason;
            return default;
        }
    }
}
