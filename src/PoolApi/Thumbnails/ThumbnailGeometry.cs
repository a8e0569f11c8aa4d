namespace PoolApi.Thumbnails;

/// <summary>The arithmetic of a thumbnail: how large it gets, how much of the source it shows, how far the decoder may shrink.</summary>
internal readonly record struct ThumbnailGeometry
{
    /// <summary>The largest side of a result: WebP's own limit. Only a height that follows from the width can get there.</summary>
    public const int MaxResultSide = 16383;

    /// <summary>
    /// The most pixels of a result: the largest width that can be asked for at proportions of 1 to 2. Without it, a sliver of an image
    /// of a few bytes would buy the encoding of 67 megapixels.
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

    /// <summary>The width of the whole source at the result's scale: more than <see cref="Width"/> where the sides are cut off.</summary>
    public int WholeWidth { get; }

    /// <summary>The height of the whole source at the result's scale: more than <see cref="Height"/> where top and bottom are cut off.</summary>
    public int WholeHeight { get; }

    /// <summary>
    /// Whether the source must be cut before it is resized: a sliver that is to cover a square would be a huge image in between.
    /// </summary>
    public bool CutsFirst { get; }

    /// <summary>How many source pixels at least make one pixel of the result, along each axis; 1 where the image is enlarged.</summary>
    public double Shrink { get; }

    /// <summary>Plans the thumbnail of an image as it is stored; <paramref name="sideways"/> when its orientation swaps the axes.</summary>
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

    /// <summary>The middle of the stored image, decoded at any size, that has the result's proportions.</summary>
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
