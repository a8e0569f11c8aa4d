using PoolApi.Thumbnails.Inspection;

namespace PoolApi.Thumbnails;

/// <summary>Estimates the cost of resizing to a thumbnail and encoding it, which is added to that of decoding.</summary>
internal static class ResultCost
{
    // Up to this size encoders compress well. Beyond, slightly worse compression saves seconds and much memory.
    private const int MaxThoroughPixels = 4_000_000;

    private const double MiB = 1024 * 1024;
    private const double ResizeSecondsPerPixel = 30e-9;

    /// <summary>Whether a result is small enough for the better compression.</summary>
    public static bool IsThorough(long pixels) => pixels <= MaxThoroughPixels;

    /// <summary>The reason for refusing the thumbnail, in words for the client; <see langword="null"/> if it is within the limits.</summary>
    public static string? Refusal(InspectedImage image, ThumbnailGeometry geometry, int bands, ThumbnailFormat format)
    {
        (DecodeCost decoding, DecodeLimits limits) = (image.Cost, image.Limits);
        double pixels = (double)geometry.Width * geometry.Height;
        // If the sides are cut off, more pixels are resized than encoded.
        double whole = Math.Max(pixels, (double)geometry.WholeWidth * geometry.WholeHeight);
        double bytesPerPixel = Math.Clamp(bands, 1, 4);
        // A source that is cut first is decoded once more, to its end.
        double seconds = (geometry.CutsFirst ? 2 : 1) * decoding.Seconds + whole * ResizeSecondsPerPixel + pixels * SecondsPerPixel(format, pixels, bands);
        // WebP is shrunk while it is decoded, and then kept as a whole. The decoder's memory is released before the encoder starts; the encoded image is not.
        double decoded = image.Kind == ImageKind.Webp ? Math.Min(decoding.Pixels, whole) * bytesPerPixel : 0;
        double bytes = decoding.HeldBytes + whole * bytesPerPixel + Math.Max(decoding.Bytes + decoded, EncoderBytes(format, pixels, pixels * bytesPerPixel));
        if (seconds > limits.MaxTime.TotalSeconds)
        {
            return FormattableString.Invariant(
                $"the thumbnail would have {DecodeCost.Megapixels(pixels)}: making it as {Name(format)} takes an estimated {seconds:0.0} s of CPU time; at most {limits.MaxTime.TotalSeconds:0.###} s are accepted");
        }
        if (bytes / MiB > limits.MaxMegabytes)
        {
            return FormattableString.Invariant(
                $"the thumbnail would have {DecodeCost.Megapixels(pixels)}: making it as {Name(format)} takes an estimated {bytes / MiB:0} MiB of memory; at most {limits.MaxMegabytes} are accepted");
        }
        return null;
    }

    // Measured with libvips and the encoders on pictures between a photo and noise, rounded up.
    private static double SecondsPerPixel(ThumbnailFormat format, double pixels, int bands) => (bands is 2 or 4 ? 30e-9 : 0) + format switch
    {
        ThumbnailFormat.Webp => pixels <= MaxThoroughPixels ? 280e-9 : 50e-9,
        ThumbnailFormat.Jpeg => 15e-9,
        ThumbnailFormat.Png => 70e-9,
        _ => 170e-9,
    };

    private static double EncoderBytes(ThumbnailFormat format, double pixels, double raw) => format switch
    {
        ThumbnailFormat.Webp => raw + 3 * pixels,
        ThumbnailFormat.Jpeg => raw / 2 + (pixels <= MaxThoroughPixels ? 6 * pixels : 0),
        ThumbnailFormat.Png => 1.5 * raw,
        _ => 20 * pixels,
    };

    private static string Name(ThumbnailFormat format) => format switch
    {
        ThumbnailFormat.Webp => "WebP",
        ThumbnailFormat.Jpeg => "JPEG",
        ThumbnailFormat.Png => "PNG",
        _ => "AVIF",
    };
}
