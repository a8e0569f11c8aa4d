namespace PoolApi.Thumbnails;

/// <summary>The encodings that are accepted: those that libvips considers safe for untrusted input and that its build here decodes.</summary>
public enum ImageKind
{
    /// <summary>JPEG, baseline or progressive.</summary>
    Jpeg,

    /// <summary>PNG (of an animated one, the still image).</summary>
    Png,

    /// <summary>WebP (of an animated one, the first frame).</summary>
    Webp,

    /// <summary>GIF (the first frame).</summary>
    Gif,

    /// <summary>TIFF or BigTIFF (the first page).</summary>
    Tiff,

    /// <summary>AVIF (the primary image). HEIC is not among them: its codec is not in the build.</summary>
    Avif,
}
