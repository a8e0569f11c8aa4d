namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// The limits of decoding one image. They apply to estimates that are made from the container, before anything is decoded. The estimates are for a
/// thumbnail much smaller than the image, on one core of a present-day server. Immutable.
/// </summary>
public sealed record DecodeLimits
{
    /// <summary>The most pixels of an image, in millions. Checked from the header, before a pixel is decoded.</summary>
    public const int MaxSourceMegapixels = 100;

    /// <summary>The default limits.</summary>
    public static DecodeLimits Default { get; } = new();

    /// <summary>The most CPU time that decoding may take.</summary>
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The most memory that decoding may take, the encoded image included, in MiB. The default, 286 MiB, is 300 million bytes.</summary>
    public int MaxMegabytes { get; init; } = 286;
}
