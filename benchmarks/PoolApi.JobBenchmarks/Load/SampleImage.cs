using NetVips;

namespace PoolApi.JobBenchmarks.Load;

/// <summary>A picture to make thumbnails of, the same each time.</summary>
internal static class SampleImage
{
    private const int Width = 800, Height = 600, Seed = 1, Quality = 80;

    public const string ContentType = "image/jpeg";

    /// <summary>Coloured clouds, as a JPEG of some tens of kilobytes: neither one flat colour nor noise.</summary>
    public static byte[] Make()
    {
        NetVips.NetVips.Concurrency = 1;
        using Image red = Clouds(Seed), green = Clouds(Seed + 1), blue = Clouds(Seed + 2);
        using Image joined = red.Bandjoin(green, blue);
        using Image image = joined.Copy(interpretation: Enums.Interpretation.Srgb);
        return image.JpegsaveBuffer(q: Quality);
    }

    private static Image Clouds(int seed)
    {
        using Image large = Image.Perlin(Width, Height, cellSize: 200, uchar: true, seed: seed);
        using Image small = Image.Perlin(Width, Height, cellSize: 10, uchar: true, seed: seed);
        using Image sum = (large * 0.8) + (small * 0.2);
        return sum.Cast(Enums.BandFormat.Uchar);
    }
}
