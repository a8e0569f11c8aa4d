using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Avif;

/// <summary>The sequence header of an AV1 stream (AV1, 5.5.1), up to its colours.</summary>
/// <param name="Area">How many pixels a frame may have.</param>
/// <param name="IsFull">Whether its profile allows 12 bits, or colours that are not subsampled in both directions.</param>
/// <param name="IsDeep">Whether samples have more than 8 bits.</param>
/// <param name="Colours">The code points of its colours; <see langword="null"/>: it has none.</param>
internal readonly record struct Av1SequenceHeader(double Area, bool IsFull, bool IsDeep, CodePoints? Colours)
{
    /// <summary>The highest defined level, except for <see cref="UnlimitedLevel"/>.</summary>
    private const int LastLevel = 19;

    /// <summary>The level of a stream without limits.</summary>
    public const int UnlimitedLevel = 31;

    /// <summary>The length of a level in bits.</summary>
    public const int LevelBits = 5;

    /// <summary>Reads the header. It never fails: beyond the end there are zeros.</summary>
    /// <param name="header">The content of the unit.</param>
    /// <param name="reservedLevels">Receives the positions, in bits, of the reserved levels, unless the stream has a timing.</param>
    public static Av1SequenceHeader Read(ReadOnlySpan<byte> header, List<int>? reservedLevels = null)
    {
        var bits = new BitReader(header);
        int profile = (int)bits.Next(3);
        bits.Next(1);
        bool isReduced = bits.Flag();
        if (isReduced) ReadLevel(ref bits, reservedLevels);
        else ReadOperatingPoints(ref bits, reservedLevels);

        int widthBits = (int)bits.Next(4) + 1;
        int heightBits = (int)bits.Next(4) + 1;
        double area = (bits.Next(widthBits) + 1.0) * (bits.Next(heightBits) + 1.0);
        SkipTools(ref bits, isReduced);
        bool isDeep = bits.Flag();
        return new Av1SequenceHeader(area, IsFull: profile != 0, isDeep, ReadColours(ref bits, profile, isDeep));
    }

    private static CodePoints? ReadColours(ref BitReader bits, int profile, bool isDeep)
    {
        // Skips the flags for 12 bits and for luma alone.
        if (profile == 2 && isDeep) bits.Next(1);
        if (profile != 1) bits.Next(1);
        return bits.Flag() ? new CodePoints((int)bits.Next(8), (int)bits.Next(8)) : null;
    }

    private static void ReadOperatingPoints(ref BitReader bits, List<int>? reservedLevels)
    {
        bool hasDecoderModel = false;
        int delayLength = 0;
        bool hasTiming = bits.Flag();
        if (hasTiming)
        {
            bits.Next(32);
            bits.Next(32);
            if (bits.Flag()) bits.SkipUvlc();
            hasDecoderModel = bits.Flag();
            if (hasDecoderModel)
            {
                delayLength = (int)bits.Next(5) + 1;
                bits.Next(32);
                bits.Next(10);
            }
        }
        bool hasDisplayDelay = bits.Flag();
        for (long points = bits.Next(5) + 1; points > 0; points--)
        {
            bits.Next(12);
            // A stream with a timing is a video, not an image.
            int level = ReadLevel(ref bits, hasTiming ? null : reservedLevels);
            if (level > 7) bits.Next(1);
            if (hasDecoderModel && bits.Flag())
            {
                bits.Next(delayLength);
                bits.Next(delayLength);
                bits.Next(1);
            }
            if (hasDisplayDelay && bits.Flag()) bits.Next(4);
        }
    }

    private static int ReadLevel(ref BitReader bits, List<int>? reservedLevels)
    {
        int at = bits.At;
        int level = (int)bits.Next(LevelBits);
        if (level is > LastLevel and < UnlimitedLevel) reservedLevels?.Add(at);
        return level;
    }

    private static void SkipTools(ref BitReader bits, bool isReduced)
    {
        if (!isReduced && bits.Flag()) bits.Next(7);
        bits.Next(3);
        if (!isReduced)
        {
            bits.Next(4);
            bool hasOrderHint = bits.Flag();
            if (hasOrderHint) bits.Next(2);
            bool hasScreenContent = bits.Flag() || bits.Flag();
            if (hasScreenContent && !bits.Flag()) bits.Next(1);
            if (hasOrderHint) bits.Next(3);
        }
        bits.Next(3);
    }
}
