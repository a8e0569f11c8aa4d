namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// The estimated cost of decoding an image. Floating point, because the product of numbers in a hostile file exceeds any integer.
/// </summary>
/// <param name="Seconds">The CPU time. Infinite if the image is refused at any limits.</param>
/// <param name="Bytes">The peak of the decoder's memory.</param>
/// <param name="What">The cause of the cost, as the end of the sentence "the image has …".</param>
/// <param name="Pixels">The number of pixels, by the header.</param>
/// <param name="HeldBytes">The encoded image, with the buffers that it outgrew: in memory from before decoding until the thumbnail is made.</param>
internal readonly record struct DecodeCost(double Seconds, double Bytes, string What, double Pixels = 0, double HeldBytes = 0)
{
    private const double MiB = 1024 * 1024;

    /// <summary>The memory that every thumbnail takes.</summary>
    private const double BaseBytes = 10 * MiB;

    /// <summary>The cost is unknown, and the decoder decides about the image.</summary>
    public static DecodeCost Unknown { get; } = new(0, 0, "");

    /// <summary>The reason for refusing the image, in words for the client; <see langword="null"/> if it is within the limits.</summary>
    public string? Refusal(DecodeLimits limits)
    {
        if (Pixels / 1e6 > DecodeLimits.MaxSourceMegapixels)
        {
            return FormattableString.Invariant(
                $"the image has {Pixels / 1e6:0.#} megapixels; at most {DecodeLimits.MaxSourceMegapixels} are accepted");
        }

        if (!double.IsFinite(Seconds))
            return $"the image has {What}; such an image is not decoded";

        double megabytes = (Bytes + HeldBytes + BaseBytes) / MiB;
        if (Seconds > limits.MaxTime.TotalSeconds)
        {
            return FormattableString.Invariant(
                $"the image has {What}: decoding takes an estimated {Seconds:0.0} s of CPU time; at most {limits.MaxTime.TotalSeconds:0.###} s are accepted");
        }
        if (Bytes + HeldBytes > 0 && megabytes > limits.MaxMegabytes)
        {
            return FormattableString.Invariant(
                $"the image has {What}: decoding takes an estimated {megabytes:0} MiB of memory with the image itself; at most {limits.MaxMegabytes} are accepted");
        }
        return null;
    }

    /// <summary>Formats a number of pixels.</summary>
    public static string Megapixels(double pixels) => FormattableString.Invariant($"{pixels / 1e6:0.##} megapixels");
}
