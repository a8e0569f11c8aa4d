namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// What decoding one image may cost, estimated from its container before anything is decoded. The estimates are for a thumbnail much
/// smaller than the image, on one core of a server of these years.
/// </summary>
public sealed record DecodeLimits
{
    /// <summary>The limits where none are set.</summary>
    public static DecodeLimits Default { get; } = new();

    /// <summary>The longest CPU time that decoding may take.</summary>
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The most memory that the decoder may hold at once, in MiB.</summary>
    public int MaxMegabytes { get; init; } = 300;
}
