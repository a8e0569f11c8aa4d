namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// What decoding takes, as estimated from the container. Floating point, because the numbers in a hostile file multiply beyond any
/// integer; a sum of finite positive terms only grows.
/// </summary>
/// <param name="Seconds">CPU time. Infinite where no limit could accept the image.</param>
/// <param name="Bytes">The most memory held at once.</param>
/// <param name="What">What costs that, to follow "the image has".</param>
/// <param name="Pixels">How many pixels the picture has, as its header says.</param>
internal readonly record struct DecodeCost(double Seconds, double Bytes, string What, double Pixels = 0)
{
    private const double MiB = 1024 * 1024;

    /// <summary>What a thumbnail takes whatever the image is.</summary>
    private const double BaseBytes = 10 * MiB;

    /// <summary>Nothing is known of it: the decoder judges.</summary>
    public static DecodeCost Unknown { get; } = new(0, 0, "");

    /// <summary>Why the image is refused, in words for the client; <see langword="null"/> if it is within the limits.</summary>
    public string? Refusal(DecodeLimits limits)
    {
        if (Pixels / 1e6 > Thumbnailer.MaxSourceMegapixels)
        {
            return FormattableString.Invariant(
                $"the image has {Pixels / 1e6:0.#} megapixels; at most {Thumbnailer.MaxSourceMegapixels} are accepted");
        }

        if (!double.IsFinite(Seconds))
            return $"the image has {What}; such an image is not decoded";

        double megabytes = (Bytes + BaseBytes) / MiB;
        if (Seconds > limits.MaxTime.TotalSeconds)
        {
            return FormattableString.Invariant(
                $"the image has {What}: decoding takes an estimated {Seconds:0.0} s of CPU time; at most {limits.MaxTime.TotalSeconds:0.###} s are accepted");
        }
        if (Bytes > 0 && megabytes > limits.MaxMegabytes)
        {
            return FormattableString.Invariant(
                $"the image has {What}: decoding takes an estimated {megabytes:0} MiB of memory; at most {limits.MaxMegabytes} are accepted");
        }
        return null;
    }

    /// <summary>A number of pixels in words.</summary>
    public static string Megapixels(double pixels) => FormattableString.Invariant($"{pixels / 1e6:0.##} megapixels");
}
