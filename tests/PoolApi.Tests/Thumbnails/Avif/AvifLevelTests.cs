using PoolApi.Thumbnails;
using PoolApi.Thumbnails.Avif;

namespace PoolApi.Tests.Thumbnails.Avif;

public class AvifLevelTests
{
    [Theory]
    [InlineData(20)]
    [InlineData(24)]
    [InlineData(30)]
    public void An_avif_of_a_reserved_level_is_decoded_like_any_other(int level)
    {
        using var image = Samples.Solid(64, 64, Samples.Red);
        var encoded = Samples.Encode(image, "avif");
        SetLevel(encoded, level);
        Assert.NotEqual(encoded, Av1Levels.Replace(encoded).ToArray()); // the level is where the decoder reads it, and it is a reserved one
        var before = (byte[])encoded.Clone();

        using var thumbnail = Samples.Decode(Thumbnailer.Make(
            encoded, new ThumbnailSpec(16, format: ThumbnailFormat.Png), TestContext.Current.CancellationToken));

        Samples.AssertColour(Samples.Red, thumbnail, 8, 8);
        Assert.Equal(before, encoded);
    }

    // The five bits of the level in the sequence header of a still picture.
    private static void SetLevel(byte[] avif, int level)
    {
        var data = avif.AsSpan().IndexOf("mdat"u8) + 4;
        var header = data + avif.AsSpan(data).IndexOf((byte)0x0A) + 2;
        var isReduced = (avif[header] & 0x08) != 0;
        var at = (header * 8) + (isReduced ? 5 : 5 + 1 + 1 + 5 + 12);
        for (var bit = 0; bit < 5; bit++)
        {
            var mask = (byte)(0x80 >> ((at + bit) % 8));
            var isSet = (level & (16 >> bit)) != 0;
            avif[(at + bit) / 8] = (byte)(isSet ? avif[(at + bit) / 8] | mask : avif[(at + bit) / 8] & ~mask);
        }
    }
}
