namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Estimates the cost of an image by one walk over its container, and finds the parts that its picture does not need. Linear in the bytes, in managed
/// code; decodes no pixel and never throws. A container that it does not understand is left to the decoder.
/// </summary>
internal static class ImageInspection
{
    public static DecodeCost Walk(ReadOnlySpan<byte> image, ImageKind kind, DecodeLimits limits, ref Excerpt excerpt) => kind switch
    {
        ImageKind.Jpeg => JpegInspection.Walk(image, ref excerpt),
        ImageKind.Png => PngInspection.Walk(image, ref excerpt),
        ImageKind.Webp => WebpInspection.Walk(image, ref excerpt),
        ImageKind.Gif => GifInspection.Walk(image, ref excerpt),
        ImageKind.Tiff => TiffInspection.Walk(image, limits.MaxTime.TotalSeconds, ref excerpt),
        ImageKind.Avif => AvifInspection.Walk(image, ref excerpt),
        _ => DecodeCost.Unknown,
    };
}
