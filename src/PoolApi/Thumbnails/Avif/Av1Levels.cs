namespace PoolApi.Thumbnails.Avif;

/// <summary>
/// Images of more than 35,651,584 pixels or 8,704 lines are beyond AV1's level 6.3. libaom 3.6, which Debian 12 has, writes a higher
/// level for them, and the decoder here refuses that level as reserved. The level only announces how fast a decoder must be, so such a
/// level is read as one without limits. Images of libaom 3.6 with more than 35 megapixels (6000 × 6000 and larger were tried) do not decode
/// even so. The reason is not known; their division into tiles is suspected.
/// </summary>
internal static class Av1Levels
{
    /// <summary>The image, or a copy of it where a level has to be replaced.</summary>
    public static ReadOnlyMemory<byte> Replace(ReadOnlyMemory<byte> image)
    {
        byte[]? copy = null;
        AvifItems items = AvifItems.Read(image.Span);
        foreach (AvifItem item in items.All)
        {
            if (!item.IsCoded || item.IsInItemData || item.Pieces.Count == 0) continue;
            ReadOnlySpan<byte> stream = items.Slice(image.Span, item, piece: 0);
            foreach (int bit in ReservedLevels(stream))
            {
                copy ??= image.ToArray();
                SetUnlimited(copy.AsSpan((int)item.Pieces[0].At), bit);
            }
        }
        return copy ?? image;
    }

    // The positions in bits. The first sequence header counts, as for the decoder.
    private static List<int> ReservedLevels(ReadOnlySpan<byte> stream)
    {
        var levels = new List<int>();
        foreach (Av1Unit unit in Av1Unit.Of(stream))
        {
            if (unit.Type != Av1Unit.SequenceHeader) continue;
            Av1SequenceHeader.Read(unit.Content, levels);
            for (int n = 0; n < levels.Count; n++) levels[n] += 8 * unit.ContentAt;
            break;
        }
        return levels;
    }

    private static void SetUnlimited(Span<byte> stream, int at)
    {
        for (int bit = at; bit < at + Av1SequenceHeader.LevelBits; bit++) stream[bit / 8] |= (byte)(0x80 >> (bit % 8));
    }
}
