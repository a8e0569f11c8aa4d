namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Estimates what an image costs by one walk over its container, and cuts out what its picture does not need. Linear in the bytes,
/// purely managed, without a pixel decoded; it never throws. A container that it does not understand is left to the decoder.
/// </summary>
internal static class ImageInspection
{
    /// <summary>Why the image is not decoded, in words for the client; <see langword="null"/> if it may be.</summary>
    public static string? Refusal(ReadOnlySpan<byte> image, ImageKind kind, DecodeLimits limits)
    {
        var excerpt = new Excerpt();
        return Walk(image, kind, ref excerpt).Refusal(limits);
    }

    /// <summary>What the decoder is to see of an image that may be decoded: the image itself, or a copy of what its picture needs.</summary>
    /// <exception cref="UnprocessableImageException">The image costs too much.</exception>
    public static ReadOnlyMemory<byte> Admit(ReadOnlyMemory<byte> image, ImageKind kind, DecodeLimits limits)
    {
        var counted = new Excerpt();
        if (Walk(image.Span, kind, ref counted).Refusal(limits) is { } refusal) throw new UnprocessableImageException(refusal);
        if (!counted.IsWorthCopying || counted.Length == 0) return image;

        byte[] needed = new byte[counted.Length];
        var excerpt = new Excerpt(needed);
        Walk(image.Span, kind, ref excerpt);
        return needed;
    }

    private static DecodeCost Walk(ReadOnlySpan<byte> image, ImageKind kind, ref Excerpt excerpt) => kind switch
    {
        ImageKind.Jpeg => JpegInspection.Walk(image, ref excerpt),
        ImageKind.Png => PngInspection.Walk(image, ref excerpt),
        ImageKind.Webp => WebpInspection.Walk(image, ref excerpt),
        ImageKind.Gif => GifInspection.Walk(image, ref excerpt),
        ImageKind.Tiff => TiffInspection.Walk(image, ref excerpt),
        ImageKind.Avif => AvifInspection.Walk(image, ref excerpt),
        _ => DecodeCost.Unknown,
    };
}
