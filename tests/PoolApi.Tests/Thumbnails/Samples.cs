using NetVips;

namespace PoolApi.Tests.Thumbnails;

/// <summary>Images made for a test, encoded as a client would send them.</summary>
internal static class Samples
{
    public static readonly double[] Red = [255, 0, 0];
    public static readonly double[] Green = [0, 255, 0];
    public static readonly double[] Blue = [0, 0, 255];
    public static readonly double[] Yellow = [255, 255, 0];

    // The encodings a client may send, by a name that reads well in a test's title.
    public static readonly string[] Names =
        ["jpeg", "progressive-jpeg", "png", "interlaced-png", "webp", "lossless-webp", "gif", "tiff", "deflate-tiff", "avif"];

    public static byte[] Encode(Image image, string name) => name switch
    {
        "jpeg" => image.JpegsaveBuffer(q: 95),
        "progressive-jpeg" => image.JpegsaveBuffer(q: 95, interlace: true),
        "png" => image.PngsaveBuffer(),
        "interlaced-png" => image.PngsaveBuffer(interlace: true),
        "webp" => image.WebpsaveBuffer(q: 95),
        "lossless-webp" => image.WebpsaveBuffer(lossless: true),
        "gif" => image.GifsaveBuffer(),
        "tiff" => image.TiffsaveBuffer(),
        "deflate-tiff" => image.TiffsaveBuffer(compression: Enums.ForeignTiffCompression.Deflate),
        "avif" => image.HeifsaveBuffer(q: 80, compression: Enums.ForeignHeifCompression.Av1, effort: 0),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
    };

    public static byte[] Encode(string name, int width, int height)
    {
        using var image = Noise(width, height);
        return Encode(image, name);
    }

    public static Image Solid(int width, int height, double[] colour)
    {
        using var black = Image.Black(width, height, bands: colour.Length);
        using var coloured = black + colour;
        using var bytes = coloured.Cast(Enums.BandFormat.Uchar);
        return bytes.Copy(interpretation: Enums.Interpretation.Srgb);
    }

    /// <summary>Red and green over blue and yellow, which shows the orientation.</summary>
    public static Image Quadrants(int width, int height)
    {
        var parts = new[] { Red, Green, Blue, Yellow }.Select(colour => Solid(width / 2, height / 2, colour)).ToArray();
        try
        {
            using var joined = Image.Arrayjoin(parts, across: 2);
            return joined.Copy(interpretation: Enums.Interpretation.Srgb);
        }
        finally
        {
            foreach (var part in parts)
            {
                part.Dispose();
            }
        }
    }

    /// <summary>Noise, which does not compress: truncating the encoded bytes anywhere removes pixels.</summary>
    public static Image Noise(int width, int height)
    {
        var bytes = new byte[width * height * 3];
        new Random(width * 31 + height).NextBytes(bytes);
        using var raw = Image.NewFromMemoryCopy<byte>(bytes, width, height, 3, Enums.BandFormat.Uchar);
        return raw.Copy(interpretation: Enums.Interpretation.Srgb);
    }

    public static Image Decode(byte[] encoded) => Image.NewFromBuffer(encoded, access: Enums.Access.Random);

    public static void AssertColour(double[] expected, Image image, int x, int y, double tolerance = 24)
    {
        var actual = image[x, y];
        Assert.True(
            expected.Zip(actual).All(pair => Math.Abs(pair.First - pair.Second) <= tolerance),
            $"at {x},{y}: expected [{string.Join(", ", expected)}], found [{string.Join(", ", actual)}]");
    }
}
