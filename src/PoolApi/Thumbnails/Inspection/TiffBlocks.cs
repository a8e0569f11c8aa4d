using PoolApi.Thumbnails.Tiff;

namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Checks that every strip or tile of a page is in the file, because libtiff continues after a missing one and its pixels stay black. Costs one walk over
/// the tables of offsets and sizes, and over the markers of each JPEG; the JPEGs may have no more bytes together than twice the file.
/// </summary>
internal static class TiffBlocks
{
    /// <summary>Refuses a page with a missing strip or tile.</summary>
    public static void Check(ReadOnlySpan<byte> file, TiffDirectory directory, TiffLayout layout)
    {
        if (layout.Width is <= 0 or > int.MaxValue || layout.Height is <= 0 or > int.MaxValue)
            throw new UnprocessableImageException("the TIFF has no width or no height");

        var name = layout.IsTiled ? "tile" : "strip";
        var offsets = directory.Numbers(layout.IsTiled ? TiffTag.TileOffsets : TiffTag.StripOffsets);
        var sizes = directory.Numbers(layout.IsTiled ? TiffTag.TileByteCounts : TiffTag.StripByteCounts);
        var (rows, blocks) = Count(directory, layout);
        if (offsets.Count < blocks)
            throw new UnprocessableImageException($"the TIFF has {offsets.Count} {name}s of the {blocks} that its size needs");

        // An uncompressed strip is as long as its rows. Old writers omitted the length, or wrote a wrong one if there is only one strip.
        var isImplied = layout is { IsUncompressed: true, IsTiled: false, IsSubsampled: false } && (sizes.Count == 0 || blocks == 1);
        if (!isImplied && sizes.Count < blocks)
            throw new UnprocessableImageException($"the TIFF has the sizes of {sizes.Count} {name}s of the {blocks} that its size needs");

        (long Offset, long Size) whole = default;
        long inspected = 0;
        for (var block = 0; block < blocks; block++)
        {
            var offset = offsets[block];
            var size = isImplied ? StripSize(layout, rows, block) : sizes[block];
            if (offset <= 0 || size <= 0)
                throw new UnprocessableImageException($"the TIFF's {name} {block} is missing");
            if (offset > file.Length || size > file.Length - offset)
                throw new UnprocessableImageException($"the TIFF's {name} {block} lies beyond the end of the file");
            if (!layout.IsJpeg || (offset, size) == whole)
                continue;
            inspected += size;
            if (inspected > 2L * file.Length)
                throw new UnprocessableImageException($"the TIFF's {name}s overlap");
            if (!JpegInspection.IsWhole(file.Slice((int)offset, (int)size)))
                throw new UnprocessableImageException($"the TIFF's {name} {block} is a truncated or corrupt JPEG");
            whole = (offset, size);
        }
    }

    // The rows of a block, and the number of blocks of the page.
    private static (long Rows, long Blocks) Count(TiffDirectory directory, TiffLayout layout)
    {
        var planes = layout.IsSeparate ? layout.Samples : 1;
        if (layout.IsTiled)
        {
            var (width, height) = (directory.Number(TiffTag.TileWidth) ?? 0, directory.Number(TiffTag.TileLength) ?? 0);
            if (width <= 0 || height <= 0)
                throw new UnprocessableImageException("the TIFF's tiles have no width or no height");
            return (height, CeilingDivide(layout.Width, width) * CeilingDivide(layout.Height, height) * planes);
        }

        var rows = directory.Number(TiffTag.RowsPerStrip) ?? layout.Height;
        if (rows <= 0)
            throw new UnprocessableImageException("the TIFF's strips have no rows");
        rows = Math.Min(rows, layout.Height);
        return (rows, CeilingDivide(layout.Height, rows) * planes);
    }

    private static long StripSize(TiffLayout layout, long rows, int strip)
    {
        var first = strip % CeilingDivide(layout.Height, rows) * rows;
        var bits = layout.Width * layout.Bits * (layout.IsSeparate ? 1 : layout.Samples);
        return CeilingDivide(bits, 8) * Math.Min(rows, layout.Height - first);
    }

    private static long CeilingDivide(long number, long by) => (number / by) + (number % by == 0 ? 0 : 1);
}
