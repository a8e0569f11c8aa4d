namespace PoolApi.Thumbnails;

/// <summary>Computes the size of a thumbnail, the part of the source that it shows, and how far the decoder may shrink. Immutable.</summary>
internal readonly record struct ThumbnailGeometry
{
    /// <summary>The largest side of a result, which is WebP's limit. Only a height that follows from the width can reach it.</summary>
    public const int MaxResultSide = 16383;

    /// <summary>
    /// The most pixels of a result: the largest width at proportions of 1 to 2. Without this limit, a very narrow image of a few bytes would cause the
    /// encoding of 67 megapixels.
    /// </summary>
    public const int MaxResultPixels = ThumbnailSpec.MaxSide * ThumbnailSpec.MaxSide * 2;

    private readonly bool _sideways;

    private ThumbnailGeometry((long Width, long Height) result, (long Width, long Height) whole, double shrink, bool sideways)
    {
        Width = (int)result.Width;
        Height = (int)result.Height;
        CutsFirst = !IsWithinLimits(whole);
        (WholeWidth, WholeHeight) = CutsFirst ? (Width, Height) : ((int)whole.Width, (int)whole.Height);
        Shrink = shrink;
        _sideways = sideways;
    }

    /// <summary>The width of the result.</summary>
    public int Width { get; }

    /// <summary>The height of the result.</summary>
    public int Height { get; }

    /// <summary>The width of the whole source at the result's scale. Larger than <see cref="Width"/> if the sides are cut off.</summary>
    public int WholeWidth { get; }

    /// <summary>The height of the whole source at the result's scale. Larger than <see cref="Height"/> if top and bottom are cut off.</summary>
    public int WholeHeight { get; }

    /// <summary>
    /// Whether the source must be cut before it is resized, because the whole source at the result's scale would exceed the limits.
    /// </summary>
    public bool CutsFirst { get; }

    /// <summary>The smaller of the two scales between source and result, along the axes; 1 if the image is enlarged.</summary>
    public double Shrink { get; }

    /// <summary>Computes the geometry for a stored image. <paramref name="sideways"/>: its orientation swaps the axes.</summary>
    public static ThumbnailGeometry Plan(int storedWidth, int storedHeight, bool sideways, ThumbnailSpec spec)
    {
        var (sourceWidth, sourceHeight) = sideways ? (storedHeight, storedWidth) : (storedWidth, storedHeight);
        var (width, height) = ResultSize(sourceWidth, sourceHeight, spec);

        if (Math.Max(width, height) > MaxResultSide)
        {
            throw new UnprocessableImageException(FormattableString.Invariant(
                $"the thumbnail would be {width} × {height} pixels; at most {MaxResultSide} on a side are made"));
        }

        if (width * height > MaxResultPixels)
        {
            throw new UnprocessableImageException(FormattableString.Invariant(
                $"the thumbnail would have {width * height / 1e6:0.0} megapixels; at most {MaxResultPixels / 1e6:0.0} are made"));
        }

        var shrink = Math.Min(sourceWidth / (double)width, sourceHeight / (double)height);
        var whole = spec.Fit == ThumbnailFit.Inside
            ? (width, height)
            : (Math.Max(width, (long)Math.Round(sourceWidth / shrink)), Math.Max(height, (long)Math.Round(sourceHeight / shrink)));
        return new ThumbnailGeometry((width, height), whole, Math.Max(1, shrink), sideways);
    }

    /// <summary>The middle part of the decoded image, of any size, that has the result's proportions.</summary>
    public (int Left, int Top, int Width, int Height) Middle(int decodedWidth, int decodedHeight)
    {
        var (boxWidth, boxHeight) = _sideways ? (Height, Width) : (Width, Height);
        var width = Math.Clamp((int)Math.Round(decodedHeight * (double)boxWidth / boxHeight), 1, decodedWidth);
        var height = Math.Clamp((int)Math.Round(decodedWidth * (double)boxHeight / boxWidth), 1, decodedHeight);
        return ((decodedWidth - width) / 2, (decodedHeight - height) / 2, width, height);
    }

    private static bool IsWithinLimits((long Width, long Height) size) =>
        Math.Max(size.Width, size.Height) <= MaxResultSide && size.Width * size.Height <= MaxResultPixels;

    private static (long Width, long Height) ResultSize(int sourceWidth, int sourceHeight, ThumbnailSpec spec)
    {
        if (spec.Fit == ThumbnailFit.Cover)
            return (spec.Width, spec.Height ?? spec.Width);

        var scale = spec.Width / (double)sourceWidth;
        if (spec.Height is { } maxHeight)
            scale = Math.Min(scale, maxHeight / (double)sourceHeight);
        return (Math.Max(1, (long)Math.Round(sourceWidth * scale)), Math.Max(1, (long)Math.Round(sourceHeight * scale)));
    }
}
