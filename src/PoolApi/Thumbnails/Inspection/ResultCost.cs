namespace PoolApi.Thumbnails.Inspection;

/// <summary>What resizing to a thumbnail and encoding it takes. It adds to what decoding takes.</summary>
internal static class ResultCost
{
    // Up to here encoders may take their time; beyond, a little less compression saves seconds and much memory.
    private const int MaxThoroughPixels = 4_000_000;

    private const double MiB = 1024 * 1024;

    /// <summary>Whether a result is small enough to be compressed as well as its encoder can.</summary>
    public static bool IsThorough(long pixels) => pixels <= MaxThoroughPixels;

    /// <summary>Why the thumbnail is not made, in words for the client; <see langword="null"/> if it may be.</summary>
    public static string? Refusal(DecodeCost decoding, ThumbnailGeometry geometry, int bands, ThumbnailFormat format, DecodeLimits limits)
    {
        // The pixels in between are more where the sides are cut off.
        double pixels = Math.Max((double)geometry.Width * geometry.Height, (double)geometry.WholeWidth * geometry.WholeHeight);
        double raw = pixels * Math.Clamp(bands, 1, 4);
        double seconds = decoding.Seconds + pixels * SecondsPerPixel(format, pixels, bands);
        // The decoder is gone before the encoder starts.
        double bytes = raw + Math.Max(decoding.Bytes, EncoderBytes(format, pixels, raw));
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

    // Measured with libvips and the encoders on pictures between a photo and noise, rounded up; 30 ns of it for resizing.
    private static double SecondsPerPixel(ThumbnailFormat format, double pixels, int bands) => (bands is 2 or 4 ? 30e-9 : 0) + format switch
    {
        ThumbnailFormat.Webp => pixels <= MaxThoroughPixels ? 300e-9 : 80e-9,
        ThumbnailFormat.Jpeg => 45e-9,
        ThumbnailFormat.Png => 100e-9,
        _ => 200e-9,
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
