using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

/// <summary>The thumbnail of an animation shows its first frame. That frame must be complete; later frames may be truncated.</summary>
public class AnimationTests
{
    private const int Frames = 3;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("webp")]
    [InlineData("gif")]
    public void A_truncated_animation_is_accepted_if_its_first_frame_is_complete_and_refused_otherwise(string name)
    {
        byte[] Animation(int frames) => name == "gif"
            ? GifFile.Animated(8, 8, frames)
            : WebpFile.Animated(Samples.Encode(Samples.Solid(8, 8, Samples.Red), "webp"), 8, 8, 8, 8, frames);
        byte[] whole = Animation(Frames);
        int frame = Animation(2).Length - Animation(1).Length;
        int trailer = name == "gif" ? 1 : 0;
        int second = whole.Length - trailer - (Frames - 1) * frame;

        for (int length = second; length <= whole.Length; length++)
        {
            using var thumbnail = Samples.Decode(Thumbnailer.Make(whole.AsMemory(0, length), new ThumbnailSpec(8, format: ThumbnailFormat.Png), Token));
            Samples.AssertColour(Samples.Red, thumbnail, 0, 0);
        }

        for (int length = second - frame + 8; length < second; length++)
            Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(whole.AsMemory(0, length), new ThumbnailSpec(8), Token));
    }

    [Theory]
    [InlineData("gif", 0, 0)]
    [InlineData("gif", 5, 9)]
    [InlineData("webp", 0, 0)]
    [InlineData("webp", 6, 8)]
    public void The_canvas_beyond_the_first_frame_is_transparent_and_white_in_jpeg(string name, int left, int top)
    {
        byte[] animation = name == "gif"
            ? GifFile.Animated(16, 16, Frames, left: left, top: top)
            : WebpFile.Animated(Samples.Encode(Samples.Solid(4, 4, Samples.Red), "webp"), 4, 4, 16, 16, Frames, left, top, hasAlpha: false);

        foreach (int width in new[] { 16, 64, 4 })
        {
            using var thumbnail = Samples.Decode(Thumbnailer.Make(animation, new ThumbnailSpec(width, format: ThumbnailFormat.Png), Token));
            Assert.Equal((width, width, 4), (thumbnail.Width, thumbnail.Height, thumbnail.Bands));
            Assert.Equal(0, thumbnail[width - 1, width - 1][3]);
            if (width == 16) Samples.AssertColour([.. Samples.Red, 255], thumbnail, left, top);
        }

        using var opaque = Samples.Decode(Thumbnailer.Make(animation, new ThumbnailSpec(16, format: ThumbnailFormat.Jpeg), Token));
        // The tolerance is high, because the red pixels are in the same block of the JPEG.
        Samples.AssertColour([255, 255, 255], opaque, 15, 15, tolerance: 70);
    }

    [Theory]
    [InlineData("gif")]
    [InlineData("webp")]
    public void A_first_frame_that_covers_the_canvas_stays_opaque(string name)
    {
        byte[] animation = name == "gif"
            ? GifFile.Animated(1, 1, Frames)
            : WebpFile.Animated(Samples.Encode(Samples.Solid(4, 4, Samples.Red), "webp"), 4, 4, 4, 4, Frames, hasAlpha: false);
        using var thumbnail = Samples.Decode(Thumbnailer.Make(animation, new ThumbnailSpec(4, format: ThumbnailFormat.Png), Token));
        Assert.Equal(3, thumbnail.Bands);
    }
}
