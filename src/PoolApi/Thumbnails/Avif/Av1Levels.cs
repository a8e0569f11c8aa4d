namespace PoolApi.Thumbnails.Avif;

/// <summary>
/// Replaces reserved levels in AVIF images. An image of more than 35,651,584 pixels or 8,704 lines exceeds AV1's level 6.3. libaom 3.6 (Debian 12) then
/// writes a higher level, which the decoder here refuses as reserved. A level only declares how fast a decoder must be, so the level without limits
/// replaces it. Images of libaom 3.6 with more than 35 megapixels (6000 × 6000 and larger were tried) do not decode even so, perhaps because of their
/// division into tiles. Copies the image only if a level is replaced. Items may share their bytes, so the walk ends after twice the length of the file.
/// </summary>
internal static class Av1Levels
{
    /// <summary>The image, or a copy of it where a level has to be replaced.</summary>
    public static ReadOnlyMemory<byte> Replace(ReadOnlyMemory<byte> image)
    {
        byte[]? copy = null;
        long walked = 0;
        AvifItems items = AvifItems.Read(image.Span);
        foreach (AvifItem item in items.All)
        {
            if (!item.IsCoded) continue;
            if (item.Configuration is { } configuration) Replace(image.Span[configuration], configuration.Start.Value);
            if (!item.IsInItemData && item.Pieces.Count > 0) Replace(items.Slice(image.Span, item, piece: 0), (int)Math.Min(item.Pieces[0].At, int.MaxValue));
            if (walked > 2L * image.Length) break;
        }
        return copy ?? image;

        void Replace(ReadOnlySpan<byte> stream, int at)
        {
            foreach (int bit in ReservedLevels(stream, ref walked))
            {
                copy ??= image.ToArray();
                SetUnlimited(copy.AsSpan(at), bit);
            }
        }
    }

    // The positions of the reserved levels, in bits. Like the decoder, it reads the first sequence header.
    private static List<int> ReservedLevels(ReadOnlySpan<byte> stream, ref long walked)
    {
        List<int> levels = [];
        int end = 0;
        foreach (Av1Unit unit in Av1Unit.Of(stream))
        {
            end = unit.End;
            if (unit.Type != Av1Unit.SequenceHeader) continue;
            Av1SequenceHeader.Read(unit.Content, levels);
            for (int n = 0; n < levels.Count; n++) levels[n] += 8 * unit.ContentAt;
            break;
        }
        walked += end;
        return levels;
    }

    private static void SetUnlimited(Span<byte> stream, int at)
    {
        for (int bit = at; bit < at + Av1SequenceHeader.LevelBits; bit++) stream[bit / 8] |= (byte)(0x80 >> (bit % 8));
    }
}
