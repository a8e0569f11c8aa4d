namespace PoolApi.Thumbnails.Avif;

/// <summary>
/// Images of more than 35,651,584 pixels or 8,704 lines are beyond AV1's level 6.3. libaom 3.6, which Debian 12 has, writes a higher
/// level for them, and the decoder here refuses that level as reserved. The level only announces how fast a decoder must be, so such a
/// level is read as 31: without a limit. Images of libaom 3.6 with more than 35 megapixels (6000 × 6000 and larger were tried) do not decode
/// even so. The reason is not known; their division into tiles is suspected.
/// </summary>
internal static class Av1Levels
{
    private const int FirstReserved = 20;
    private const int Unlimited = 31;

    /// <summary>The image, or a copy of it where a level has to be replaced.</summary>
    public static ReadOnlyMemory<byte> Replace(ReadOnlyMemory<byte> image)
    {
        byte[]? copy = null;
        foreach (var start in AvifItems.Read(image.Span).CodedImages())
        {
            var (at, length) = FindSequenceHeader(image.Span, start);
            if (length == 0)
                continue;
            foreach (var bit in ReservedLevels(image.Span.Slice(at, length)))
            {
                copy ??= image.ToArray();
                SetUnlimited(copy.AsSpan(at), bit);
            }
        }
        return copy ?? image;
    }

    // The sequence header is the first unit of a coded image, but for a temporal delimiter.
    private static (int At, int Length) FindSequenceHeader(ReadOnlySpan<byte> file, int at)
    {
        const int SequenceHeader = 1;
        const int TemporalDelimiter = 2;
        while (at < file.Length)
        {
            var header = file[at++];
            var type = (header >> 3) & 15;
            if ((header & 4) != 0)
                at++;

            // Without a size a unit goes to the end of its data; the header itself is short.
            var length = (header & 2) != 0 ? Leb128(file, ref at) : 64;
            if (at < 0 || at >= file.Length && length > 0)
                return default;
            if (type == SequenceHeader)
                return (at, (int)Math.Min(length, file.Length - at));
            if (type != TemporalDelimiter)
                return default;
            at += (int)Math.Min(length, file.Length - at);
        }
        return default;
    }

    private static long Leb128(ReadOnlySpan<byte> file, ref int at)
    {
        long number = 0;
        for (var i = 0; i < 8 && at < file.Length; i++)
        {
            var next = file[at++];
            number |= (long)(next & 0x7F) << (7 * i);
            if (next < 0x80)
                return number;
        }
        return long.MaxValue;
    }

    // The positions in bits of the levels that are reserved. AV1, section 5.5.1.
    private static List<int> ReservedLevels(ReadOnlySpan<byte> header)
    {
        var levels = new List<int>();
        const int AfterProfile = 4;
        var isReduced = Bits(header, AfterProfile, 1) == 1;
        if (isReduced)
        {
            if (IsReserved(Bits(header, AfterProfile + 1, 5)))
                levels.Add(AfterProfile + 1);
            return levels;
        }

        // What has a timing is a film.
        var at = AfterProfile + 1;
        if (Bits(header, at++, 1) == 1)
            return levels;
        var hasDelay = Bits(header, at++, 1) == 1;
        var points = Bits(header, at, 5) + 1;
        at += 5;
        for (; points > 0; points--)
        {
            at += 12;
            var level = Bits(header, at, 5);
            if (IsReserved(level))
                levels.Add(at);
            at += level > 7 ? 6 : 5;
            if (hasDelay)
                at += Bits(header, at, 1) == 1 ? 5 : 1;
        }
        return levels;
    }

    private static bool IsReserved(int level) => level is >= FirstReserved and < Unlimited;

    // Past the end there are zeros.
    private static int Bits(ReadOnlySpan<byte> bytes, int at, int count)
    {
        var number = 0;
        for (var bit = at; bit < at + count; bit++)
        {
            var isSet = bit / 8 < bytes.Length && (bytes[bit / 8] & (0x80 >> (bit % 8))) != 0;
            number = (number << 1) | (isSet ? 1 : 0);
        }
        return number;
    }

    private static void SetUnlimited(Span<byte> header, int at)
    {
        for (var bit = at; bit < at + 5; bit++)
        {
            header[bit / 8] |= (byte)(0x80 >> (bit % 8));
        }
    }
}
