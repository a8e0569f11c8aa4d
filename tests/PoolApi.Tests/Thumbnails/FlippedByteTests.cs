using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

/// <summary>Images with some bytes changed.</summary>
public class FlippedByteTests
{
    // On average 4.5 bytes are flipped in each image.
    private static readonly int Runs = LongTests.Wanted ? 2000 : 200;

    public static TheoryData<string> Kinds => [.. Samples.Names];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_image_with_flipped_bytes_becomes_a_thumbnail_or_is_refused(string name)
    {
        // Half of the images are the same in every run, so that runs before and after a change are comparable. The others are new.
        var original = Samples.Encode(name, 24, 20);
        var fresh = Random.Shared.Next();
        Console.Error.WriteLine($"{name}: seeds 20260101 and {fresh}"); // before the runs, in case the process crashes in one
        var (known, more) = (new Random(20_260_101), new Random(fresh));
        var (made, refused) = (0, 0);

        for (var run = 0; run < Runs; run++)
        {
            var random = run < Runs / 2 ? known : more;
            var bytes = (byte[])original.Clone();
            for (var flips = random.Next(1, 9); flips > 0; flips--)
            {
                // Half of the flips are in the header, where they matter most.
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
