namespace PoolApi.Thumbnails;

/// <summary>
/// The requested size, format and fit of a thumbnail. <see cref="ThumbnailFit.Inside"/> without a height keeps the proportions at the requested width;
/// <see cref="ThumbnailFit.Cover"/> without a height is a square. Immutable.
/// </summary>
public readonly record struct ThumbnailSpec
{
    /// <summary>The largest width or height that can be requested.</summary>
    public const int MaxSide = 4096;

    /// <summary>Creates a spec. Throws if a side is not within 1 to <see cref="MaxSide"/>.</summary>
    public ThumbnailSpec(
        int width, int? height = null, ThumbnailFormat format = ThumbnailFormat.Webp, ThumbnailFit fit = ThumbnailFit.Inside)
    {
        CheckSide(width, nameof(width));
        if (height is { } given)
            CheckSide(given, nameof(height));

        Width = width;
        Height = height;
        Format = format;
        Fit = fit;
    }

    /// <summary>The width in pixels.</summary>
    public int Width { get; }

    /// <summary>The height in pixels; <see langword="null"/>: it follows from the width.</summary>
    public int? Height { get; }

    /// <summary>The encoding of the result.</summary>
    public ThumbnailFormat Format { get; }

    /// <summary>How the image is fitted into the box.</summary>
    public ThumbnailFit Fit { get; }

    private static void CheckSide(int side, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(side, MaxSide, name);
    }
}
