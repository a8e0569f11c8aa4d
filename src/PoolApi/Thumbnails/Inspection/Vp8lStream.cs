namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Counts the groups of prefix codes of a lossless WebP stream (RFC 9649). The decoder builds the tables of all groups before the first pixel, and a
/// stream of 300 kB can have 65,536 groups. Keeps neither tables nor pixels.
/// </summary>
internal ref struct Vp8lStream
{
    private const int Literals = 256;
    private const int Lengths = 24;
    private const int Distances = 40;
    private const int LongestCode = 15;

    private static ReadOnlySpan<byte> CodeLengthOrder => [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    private readonly ReadOnlySpan<byte> _bytes;
    private long _at;

    private Vp8lStream(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    private readonly bool IsPastEnd => _at > 8L * _bytes.Length;

    /// <summary>The number of groups of prefix codes of the picture; 1 if the stream ends before it declares them.</summary>
    /// <param name="stream">The stream after its header, from the transforms on.</param>
    /// <param name="width">The width of the picture.</param>
    /// <param name="height">The height of the picture.</param>
    public static int CountGroups(ReadOnlySpan<byte> stream, int width, int height) => new Vp8lStream(stream).CountGroups(width, height);

    private int CountGroups(int width, int height)
    {
        const int ColourIndexing = 3;
        uint seen = 0;
        while (Bits(1) == 1)
        {
            int transform = Bits(2);
            // Each transform may occur once.
            if ((seen >> transform & 1) == 1) return 1;
            seen |= 1u << transform;
            if (transform is 0 or 1)
            {
                int blockBits = Bits(3) + 2;
                if (!SkipImage(Blocks(width, blockBits), Blocks(height, blockBits), out _)) return 1;
            }
            else if (transform == ColourIndexing)
            {
                int colours = Bits(8) + 1;
                if (!SkipImage(colours, 1, out _)) return 1;
                // Several indexes of so few colours share a pixel.
                width = Blocks(width, colours switch { <= 2 => 3, <= 4 => 2, <= 16 => 1, _ => 0 });
            }
        }
        SkipCache();
        if (Bits(1) == 0) return 1;
        int bits = Bits(3) + 2;
        return SkipImage(Blocks(width, bits), Blocks(height, bits), out int highest) ? highest + 1 : 1;
    }

    private static int Blocks(int pixels, int bits) => (pixels + (1 << bits) - 1) >> bits;

    // An image within the stream. Returns the highest index of a group among its literals; copied and cached values repeat earlier literals.
    private bool SkipImage(int width, int height, out int highest)
    {
        highest = 0;
        int cache = SkipCache();
        Span<ushort> symbols = stackalloc ushort[Literals + Lengths + (1 << 11)];
        var green = new Code(stackalloc ushort[LongestCode + 1], symbols);
        var red = new Code(stackalloc ushort[LongestCode + 1], stackalloc ushort[Literals]);
        var blue = new Code(stackalloc ushort[LongestCode + 1], stackalloc ushort[Literals]);
        var alpha = new Code(stackalloc ushort[LongestCode + 1], stackalloc ushort[Literals]);
        var distance = new Code(stackalloc ushort[LongestCode + 1], stackalloc ushort[Distances]);
        if (!Read(green, Literals + Lengths + cache) || !Read(red, Literals) || !Read(blue, Literals) || !Read(alpha, Literals) || !Read(distance, Distances))
            return false;

        // A code of one symbol takes no bits: the loop would run for each pixel without reading. An image of copies only is invalid, because no pixel
        // precedes the first one. An image of cached values only has one colour.
        if (green.IsSingle && green.Symbols[0] >= Literals) return green.Symbols[0] >= Literals + Lengths;

        long left = (long)width * height;
        while (left > 0 && !IsPastEnd)
        {
            int symbol = Next(green);
            if (symbol < 0) return false;
            if (symbol < Literals)
            {
                int high = Next(red);
                if (high < 0 || Next(blue) < 0 || Next(alpha) < 0) return false;
                highest = Math.Max(highest, high << 8 | symbol);
                left--;
                // If no code has more than one symbol, all pixels are equal and take no bits.
                if (green.IsSingle && red.IsSingle && blue.IsSingle && alpha.IsSingle) return true;
            }
            else if (symbol < Literals + Lengths)
            {
                left -= Number(symbol - Literals);
                int far = Next(distance);
                if (far < 0) return false;
                Number(far);
            }
            else
            {
                left--;
            }
        }
        return !IsPastEnd;
    }

    private int SkipCache() => Bits(1) == 1 && Bits(4) is >= 1 and <= 11 and var bits ? 1 << bits : 0;

    private long Number(int prefix)
    {
        if (prefix < 4) return prefix + 1;
        int extra = (prefix - 2) >> 1;
        return ((2L + (prefix & 1)) << extra) + Bits(extra) + 1;
    }

    private bool Read(scoped Code code, int alphabet)
    {
        Span<byte> lengths = stackalloc byte[alphabet];
        lengths.Clear();
        if (Bits(1) == 1)
        {
            bool two = Bits(1) == 1;
            lengths[Bits(Bits(1) == 1 ? 8 : 1) % alphabet] = 1;
            if (two) lengths[Bits(8) % alphabet] = 1;
            return code.Build(lengths);
        }

        Span<byte> ofLengths = stackalloc byte[CodeLengthOrder.Length];
        ofLengths.Clear();
        int count = Bits(4) + 4;
        if (count > ofLengths.Length) return false;
        for (int n = 0; n < count; n++) ofLengths[CodeLengthOrder[n]] = (byte)Bits(3);
        var lengthCode = new Code(stackalloc ushort[LongestCode + 1], stackalloc ushort[CodeLengthOrder.Length]);
        if (!lengthCode.Build(ofLengths)) return false;

        int left = alphabet;
        if (Bits(1) == 1) left = 2 + Bits(2 + (2 * Bits(3)));
        byte previous = 8;
        for (int symbol = 0; symbol < alphabet && left-- > 0;)
        {
            int next = Next(lengthCode);
            if (next < 0) return false;
            if (next < 16)
            {
                lengths[symbol++] = (byte)next;
                if (next > 0) previous = (byte)next;
                continue;
            }
            int times = next switch { 16 => 3 + Bits(2), 17 => 3 + Bits(3), _ => 11 + Bits(7) };
            if (times > alphabet - symbol) return false;
            if (next == 16) lengths.Slice(symbol, times).Fill(previous);
            symbol += times;
        }
        return code.Build(lengths);
    }

    // The next symbol of a code; -1 if there is none.
    private int Next(scoped Code code)
    {
        if (code.IsSingle) return code.Symbols[0];
        int value = 0, first = 0, index = 0;
        for (int length = 1; length <= LongestCode; length++)
        {
            value |= Bits(1);
            int count = code.Counts[length];
            if (value - count < first) return code.Symbols[index + value - first];
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        return -1;
    }

    // Beyond the end there are zeros.
    private int Bits(int count)
    {
        int value = 0;
        for (int n = 0; n < count; n++, _at++)
        {
            long index = _at >> 3;
            if (index < _bytes.Length) value |= (_bytes[(int)index] >> (int)(_at & 7) & 1) << n;
        }
        return value;
    }

    /// <summary>A canonical prefix code: the number of codes of each length, and the symbols in order.</summary>
    private readonly ref struct Code(Span<ushort> counts, Span<ushort> symbols)
    {
        public Span<ushort> Counts { get; } = counts;

        public Span<ushort> Symbols { get; } = symbols;

        /// <summary>Whether there is only one symbol, which takes no bits.</summary>
        public bool IsSingle => Counts[0] == 1;

        // Lengths of 0 are not counted. Counts[0] is 1 if the code has only one symbol, otherwise 0.
        public bool Build(ReadOnlySpan<byte> lengths)
        {
            Counts.Clear();
            int used = 0;
            foreach (byte length in lengths)
            {
                if (length == 0) continue;
                Counts[length]++;
                used++;
            }
            int next = 0;
            for (int length = 1; length <= LongestCode; length++)
            {
                if (Counts[length] == 0) continue;
                for (int symbol = 0; symbol < lengths.Length; symbol++)
                {
                    if (lengths[symbol] == length) Symbols[next++] = (ushort)symbol;
                }
            }
            if (used == 1) Counts[0] = 1;
            return used > 0;
        }
    }
}
