using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

/// <summary>Images with some bytes changed.</summary>
public class FlippedByteTests
{
    public static TheoryData<string> Kinds => [.. Samples.Names];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Kinds))]
    public void No_flipped_bytes_do_more_than_make_an_image_unprocessable(string name)
    {
        const int Runs = 1000;
        var original = Samples.Encode(name, 24, 20);
        var random = new Random(20_260_101);
        var (made, refused) = (0, 0);

        // About 4500 flipped bytes.
        for (var run = 0; run < Runs; run++)
        {
            var bytes = (byte[])original.Clone();
            for (var flips = random.Next(1, 9); flips > 0; flips--)
            {
                // Half of them in the header, where they matter most.
                var end = random.Next(2) == 0 ? Math.Min(96, bytes.Length) : bytes.Length;
                bytes[random.Next(end)] ^= (byte)random.Next(1, 256);
            }

            try
            {
                Thumbnailer.Make(bytes, new ThumbnailSpec(12, 10, ThumbnailFormat.Png), Token);
                made++;
            }
            catch (UnprocessableImageException)
            {
                refused++;
            }
        }

        Assert.Equal(Runs, made + refused);
        Assert.True(refused > Runs / 20, $"only {refused} of {Runs} were refused: the flips did nothing");
    }
}
