namespace PoolApi.Thumbnails;

/// <summary>The encodings of thumbnails.</summary>
public enum ThumbnailFormat
{
    /// <summary>WebP, lossy, with alpha: the default.</summary>
    Webp,

    /// <summary>JPEG, lossy. Transparent pixels become white.</summary>
    Jpeg,

    /// <summary>PNG, lossless, with alpha.</summary>
    Png,

    /// <summary>AVIF, lossy, with alpha. The smallest results, and by far the slowest encoder.</summary>
    Avif,
}

/// <summary>The media types of the formats.</summary>
public static class ThumbnailFormats
{
    /// <summary>The media type of the format.</summary>
    public static string ContentType(this ThumbnailFormat format) => format switch
    {
        ThumbnailFormat.Webp => "image/webp",
        ThumbnailFormat.Jpeg => "image/jpeg",
        ThumbnailFormat.Png => "image/png",
        ThumbnailFormat.Avif => "image/avif",
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "not a thumbnail format"),
    };
}
