namespace PoolApi.Thumbnails;

/// <summary>The encodings a thumbnail can be asked for in.</summary>
public enum ThumbnailFormat
{
    /// <summary>WebP, lossy, with alpha: the default.</summary>
    Webp,

    /// <summary>JPEG; what is transparent becomes white.</summary>
    Jpeg,

    /// <summary>PNG, lossless, with alpha.</summary>
    Png,

    /// <summary>AVIF, lossy, with alpha: the smallest result and by far the slowest to make.</summary>
    Avif,
}

/// <summary>What a <see cref="ThumbnailFormat"/> is called in HTTP.</summary>
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
