using System.Diagnostics;
using System.Text;
using NetVips;
using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

public class ThumbnailerTests
{
    private static readonly string[] KindsWithExif = ["jpeg", "progressive-jpeg", "png", "webp", "tiff"];

    public static TheoryData<string> Kinds => [.. Samples.Names];

    public static TheoryData<ThumbnailFormat> Formats => [.. Enum.GetValues<ThumbnailFormat>()];

    public static TheoryData<string, int> Orientations =>
        [.. from name in KindsWithExif from turn in Enumerable.Range(1, 8) select (name, turn)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_of_image_is_shrunk_and_enlarged_to_the_width_asked_for(string name)
    {
        using var image = Samples.Quadrants(400, 200);
        var encoded = Samples.Encode(image, name);

        foreach (var (width, height) in new[] { (40, 20), (100, 50), (399, 200), (400, 200), (1000, 500) })
        {
            using var thumbnail = Samples.Decode(Thumbnailer.Make(encoded, new ThumbnailSpec(width, format: ThumbnailFormat.Png), Token));
            Assert.Equal((width, height), (thumbnail.Width, thumbnail.Height));
            Samples.AssertColour(Samples.Red, thumbnail, width / 8, height / 8);
            Samples.AssertColour(Samples.Green, thumbnail, width * 7 / 8, height / 8);
            Samples.AssertColour(Samples.Blue, thumbnail, width / 8, height * 7 / 8);
            Samples.AssertColour(Samples.Yellow, thumbnail, width * 7 / 8, height * 7 / 8);
        }
    }

    [Theory]
    [InlineData(ThumbnailFormat.Webp, "webpload_buffer", "image/webp")]
    [InlineData(ThumbnailFormat.Jpeg, "jpegload_buffer", "image/jpeg")]
    [InlineData(ThumbnailFormat.Png, "pngload_buffer", "image/png")]
    [InlineData(ThumbnailFormat.Avif, "heifload_buffer", "image/avif")]
    public void The_result_is_in_the_format_asked_for(ThumbnailFormat format, string loader, string contentType)
    {
        using var image = Samples.Quadrants(64, 64);
        var made = Thumbnailer.Make(Samples.Encode(image, "jpeg"), new ThumbnailSpec(32, format: format), Token);

        using var thumbnail = Samples.Decode(made);
        Assert.Equal(loader, thumbnail.Get("vips-loader"));
        Assert.Equal(contentType, format.ContentType());
        Samples.AssertColour(Samples.Red, thumbnail, 4, 4);
    }

    [Theory]
    [InlineData(ThumbnailFit.Inside, 100, 100, 100, 50)]
    [InlineData(ThumbnailFit.Inside, 300, 50, 100, 50)]
    [InlineData(ThumbnailFit.Cover, 100, 100, 100, 100)]
    [InlineData(ThumbnailFit.Cover, 100, 300, 100, 300)]
    [InlineData(ThumbnailFit.Cover, 90, null, 90, 90)]
    public void The_fit_decides_the_size(ThumbnailFit fit, int width, int? height, int expectedWidth, int expectedHeight)
    {
        var encoded = Samples.Encode("jpeg", 400, 200);
        using var thumbnail = Samples.Decode(Thumbnailer.Make(encoded, new ThumbnailSpec(width, height, fit: fit), Token));
        Assert.Equal((expectedWidth, expectedHeight), (thumbnail.Width, thumbnail.Height));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    public void Cover_shows_the_middle(int orientation)
    {
        // Three stripes across the upright image: only the middle one can fill a square.
        using var left = Samples.Solid(200, 200, Samples.Red);
        using var middle = Samples.Solid(200, 200, Samples.Green);
        using var right = Samples.Solid(200, 200, Samples.Blue);
        using var stripes = Image.Arrayjoin([left, middle, right]);
        using var stored = Store(stripes, orientation);

        var made = Thumbnailer.Make(
            Samples.Encode(stored, "jpeg"), new ThumbnailSpec(50, fit: ThumbnailFit.Cover, format: ThumbnailFormat.Png), Token);
        using var thumbnail = Samples.Decode(made);
        Assert.Equal((50, 50), (thumbnail.Width, thumbnail.Height));
        Samples.AssertColour(Samples.Green, thumbnail, 4, 25);
        Samples.AssertColour(Samples.Green, thumbnail, 45, 25);
    }

    [Theory]
    [MemberData(nameof(Orientations))]
    public void Every_exif_orientation_gives_an_upright_thumbnail(string name, int orientation)
    {
        using var upright = Samples.Quadrants(160, 80);
        using var stored = Store(upright, orientation);
        var encoded = Samples.Encode(stored, name);

        using var thumbnail = Samples.Decode(Thumbnailer.Make(encoded, new ThumbnailSpec(40, format: ThumbnailFormat.Png), Token));
        Assert.Equal((40, 20), (thumbnail.Width, thumbnail.Height));
        Assert.False(thumbnail.Contains("orientation"));
        Samples.AssertColour(Samples.Red, thumbnail, 5, 4);
        Samples.AssertColour(Samples.Green, thumbnail, 34, 4);
        Samples.AssertColour(Samples.Blue, thumbnail, 5, 15);
        Samples.AssertColour(Samples.Yellow, thumbnail, 34, 15);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void No_metadata_survives(ThumbnailFormat format)
    {
        const string Secret = "whereabouts-of-the-author";
        using var image = Samples.Quadrants(64, 64);
        using var tagged = image.Mutate(copy =>
        {
            copy.Set(GValue.GStrType, "exif-ifd0-Artist", Secret);
            copy.Set(GValue.BlobType, "xmp-data", Encoding.UTF8.GetBytes($"<x:xmpmeta>{Secret}</x:xmpmeta>"));
        });
        using var profiled = tagged.IccTransform("p3", inputProfile: "srgb");
        var encoded = profiled.JpegsaveBuffer(keep: Enums.ForeignKeep.All);
        Assert.Contains(Secret, Encoding.Latin1.GetString(encoded), StringComparison.Ordinal);

        var made = Thumbnailer.Make(encoded, new ThumbnailSpec(32, format: format), Token);
        Assert.DoesNotContain(Secret, Encoding.Latin1.GetString(made), StringComparison.Ordinal);
        using var thumbnail = Samples.Decode(made);
        Assert.DoesNotContain(thumbnail.GetFields(), field => field is "exif-data" or "xmp-data" or "iptc-data" or "icc-profile-data");
    }

    [Theory]
    [InlineData("jpeg")]
    [InlineData("png")]
    [InlineData("webp")]
    [InlineData("tiff")]
    public void Colours_of_an_embedded_profile_become_srgb(string name)
    {
        using var srgb = Samples.Solid(64, 64, [200, 40, 30]);
        using var wide = srgb.IccTransform("p3", inputProfile: "srgb");
        Assert.True(Math.Abs(wide[0, 0][0] - 200) > 8, "the profile must change the numbers, or this test shows nothing");

        using var thumbnail = Samples.Decode(
            Thumbnailer.Make(Samples.Encode(wide, name), new ThumbnailSpec(16, format: ThumbnailFormat.Png), Token));
        Samples.AssertColour([200, 40, 30], thumbnail, 8, 8, tolerance: 6);
    }

    [Fact]
    public void A_damaged_profile_is_ignored()
    {
        using var image = Samples.Solid(64, 64, Samples.Red);
        using var profiled = image.Mutate(copy => copy.Set(GValue.BlobType, "icc-profile-data", new byte[200]));
        var encoded = profiled.JpegsaveBuffer(keep: Enums.ForeignKeep.All);

        using var thumbnail = Samples.Decode(Thumbnailer.Make(encoded, new ThumbnailSpec(16, format: ThumbnailFormat.Png), Token));
        Samples.AssertColour(Samples.Red, thumbnail, 8, 8);
    }

    [Theory]
    [InlineData("jpeg", false)]
    [InlineData("jpeg", true)]
    [InlineData("tiff", true)]
    public void Cmyk_becomes_srgb(string name, bool withProfile)
    {
        using var image = Samples.Solid(64, 64, [180, 60, 60]);
        using var cmyk = image.IccTransform("cmyk", inputProfile: "srgb");
        using var stored = withProfile ? cmyk.Copy() : cmyk.Mutate(static copy => copy.Remove("icc-profile-data"));
        Assert.Equal(4, stored.Bands);

        using var thumbnail = Samples.Decode(
            Thumbnailer.Make(Samples.Encode(stored, name), new ThumbnailSpec(16, format: ThumbnailFormat.Png), Token));
        Assert.Equal(3, thumbnail.Bands);
        Samples.AssertColour([180, 60, 60], thumbnail, 8, 8);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_16_bit_grey_image_is_accepted(ThumbnailFormat format)
    {
        using var black = Image.Black(60, 60);
        using var grey = black.Linear([1], [30000]);
        using var deep = grey.Cast(Enums.BandFormat.Ushort);
        using var stored = deep.Copy(interpretation: Enums.Interpretation.Grey16);

        using var thumbnail = Samples.Decode(Thumbnailer.Make(stored.PngsaveBuffer(), new ThumbnailSpec(30, format: format), Token));
        Assert.Equal(Enums.BandFormat.Uchar, thumbnail.Format);
        Assert.InRange(thumbnail[15, 15][0], 30000 / 257 - 6, 30000 / 257 + 6);
    }

    [Fact]
    public void A_16_bit_colour_image_is_accepted()
    {
        using var black = Image.Black(60, 60, bands: 3);
        using var colour = black + new double[] { 60000, 10000, 2000 };
        using var deep = colour.Cast(Enums.BandFormat.Ushort);
        using var stored = deep.Copy(interpretation: Enums.Interpretation.Rgb16);

        using var thumbnail = Samples.Decode(
            Thumbnailer.Make(stored.PngsaveBuffer(), new ThumbnailSpec(30, format: ThumbnailFormat.Png), Token));
        Samples.AssertColour([60000 / 257.0, 10000 / 257.0, 2000 / 257.0], thumbnail, 15, 15, tolerance: 3);
    }

    [Theory]
    [InlineData(ThumbnailFormat.Webp)]
    [InlineData(ThumbnailFormat.Png)]
    [InlineData(ThumbnailFormat.Avif)]
    public void Transparency_is_kept(ThumbnailFormat format)
    {
        using var thumbnail = Samples.Decode(Thumbnailer.Make(HalfTransparent(), new ThumbnailSpec(40, format: format), Token));
        Assert.Equal(4, thumbnail.Bands);
        Assert.InRange(thumbnail[5, 10][3], 0, 5);
        Assert.InRange(thumbnail[35, 10][3], 250, 255);
    }

    [Fact]
    public void Transparency_becomes_white_in_jpeg()
    {
        using var thumbnail = Samples.Decode(
            Thumbnailer.Make(HalfTransparent(), new ThumbnailSpec(40, format: ThumbnailFormat.Jpeg), Token));
        Assert.Equal(3, thumbnail.Bands);
        Samples.AssertColour([255, 255, 255], thumbnail, 5, 10);
        Samples.AssertColour(Samples.Red, thumbnail, 35, 10);
    }

    [Theory]
    [InlineData("gif")]
    [InlineData("webp")]
    public void Only_the_first_frame_of_an_animation_is_shown(string name)
    {
        var frames = new[] { Samples.Red, Samples.Green, Samples.Blue }.Select(colour => Samples.Solid(60, 40, colour)).ToArray();
        using var roll = Image.Arrayjoin(frames, across: 1);
        using var animated = roll.Mutate(copy => copy.Set(GValue.GIntType, "page-height", 40));
        foreach (var frame in frames)
        {
            frame.Dispose();
        }

        using var thumbnail = Samples.Decode(
            Thumbnailer.Make(Samples.Encode(animated, name), new ThumbnailSpec(30, format: ThumbnailFormat.Webp), Token));
        Assert.Equal((30, 20), (thumbnail.Width, thumbnail.Height));
        Assert.False(thumbnail.Contains("n-pages"));
        Samples.AssertColour(Samples.Red, thumbnail, 15, 10);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_image_of_one_pixel_is_accepted(string name)
    {
        using var image = Samples.Solid(1, 1, Samples.Red);
        foreach (var fit in Enum.GetValues<ThumbnailFit>())
        {
            using var thumbnail = Samples.Decode(Thumbnailer.Make(
                Samples.Encode(image, name), new ThumbnailSpec(20, fit: fit, format: ThumbnailFormat.Png), Token));
            Assert.Equal((20, 20), (thumbnail.Width, thumbnail.Height));
        }
    }

    [Theory]
    [InlineData("jpeg")]
    [InlineData("png")]
    [InlineData("tiff")]
    public void A_sliver_is_accepted_unless_its_thumbnail_would_be_too_high(string name)
    {
        using var sliver = Samples.Solid(1, 30000, Samples.Red);
        var encoded = Samples.Encode(sliver, name);

        using var inside = Samples.Decode(Thumbnailer.Make(encoded, new ThumbnailSpec(320, 320), Token));
        Assert.Equal((1, 320), (inside.Width, inside.Height));

        using var cover = Samples.Decode(Thumbnailer.Make(encoded, new ThumbnailSpec(320, 320, fit: ThumbnailFit.Cover), Token));
        Assert.Equal((320, 320), (cover.Width, cover.Height));

        var refused = Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(encoded, new ThumbnailSpec(320), Token));
        Assert.Contains("at most 16383", refused.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_truncated_image_is_refused_even_if_the_missing_part_is_not_shown(string name)
    {
        // The image is tall, so that a square of it shows none of the missing lines.
        var encoded = Samples.Encode(name, 120, 600);
        var specs = new[] { new ThumbnailSpec(30), new ThumbnailSpec(30, fit: ThumbnailFit.Cover), new ThumbnailSpec(300) };

        foreach (var percent in new[] { 2, 20, 50, 80, 95, 99 })
        {
            foreach (var spec in specs)
            {
                var cut = encoded[..(encoded.Length * percent / 100)];
                var refused = Record.Exception(() => Thumbnailer.Make(cut, spec, Token));
                Assert.True(refused is UnprocessableImageException, $"{percent} % of it, {spec}: {refused?.ToString() ?? "accepted"}");
            }
        }
    }

    [Theory]
    [InlineData("png")]
    [InlineData("jpeg")]
    public void A_truncated_sliver_is_refused_although_it_is_cropped_before_it_is_resized(string name)
    {
        var encoded = Samples.Encode(name, 2, 20000);
        var spec = new ThumbnailSpec(4096, fit: ThumbnailFit.Cover);
        Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(encoded.AsMemory(0, encoded.Length * 9 / 10), spec, Token));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Garbage_after_the_magic_bytes_is_refused(string name)
    {
        var encoded = Samples.Encode(name, 64, 64);
        new Random(7).NextBytes(encoded.AsSpan(16));
        var refused = Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(encoded, new ThumbnailSpec(16), Token));
        Assert.DoesNotContain("vips", refused.Reason, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello, this is no image at all")]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")]
    [InlineData("P6 1 1 255 abc")] // an image, but its loader is untrusted in libvips
    public void Data_that_is_not_an_image_is_refused_with_the_accepted_formats(string body)
    {
        var refused = Assert.Throws<UnprocessableImageException>(
            () => Thumbnailer.Make(Encoding.UTF8.GetBytes(body), new ThumbnailSpec(16), Token));
        Assert.Contains(ImageSniffer.Accepted, refused.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_slice_of_a_larger_array_is_only_read_within_the_slice(string name)
    {
        var encoded = Samples.Encode(name, 64, 64);
        var padded = new byte[encoded.Length + 200];
        Array.Fill(padded, (byte)0xA5);
        encoded.CopyTo(padded, 100);

        var spec = new ThumbnailSpec(16, format: ThumbnailFormat.Png);
        Assert.Equal(Thumbnailer.Make(encoded, spec, Token), Thumbnailer.Make(padded.AsMemory(100, encoded.Length), spec, Token));
    }

    [Fact]
    public void An_already_cancelled_token_throws_OperationCanceledException()
    {
        var encoded = Samples.Encode("jpeg", 16, 16);
        var cancelled = new CancellationToken(canceled: true);
        var thrown = Assert.Throws<OperationCanceledException>(() => Thumbnailer.Make(encoded, new ThumbnailSpec(8), cancelled));
        Assert.Equal(cancelled, thrown.CancellationToken);
    }

    [Theory]
    [InlineData(ThumbnailFormat.Webp)]
    [InlineData(ThumbnailFormat.Png)]
    public void A_token_cancelled_in_the_middle_stops_the_work(ThumbnailFormat format)
    {
        var encoded = Samples.Encode("jpeg", 1000, 1000);
        var spec = new ThumbnailSpec(2400, format: format);
        var clock = Stopwatch.StartNew();
        Thumbnailer.Make(encoded, spec, Token);
        var whole = clock.Elapsed;

        // The token is cancelled early, in the resizing, and late, in the encoder. If the work completes before that, the next try
        // cancels earlier, so that the speed of the machine does not decide.
        foreach (double start in new[] { 0.1, 0.6 })
        {
            OperationCanceledException? thrown = null;
            CancellationToken cancelled = default;
            for (double part = start; thrown is null && part > 0.001; part *= 0.8)
            {
                using var cancel = new CancellationTokenSource(whole * part);
                cancelled = cancel.Token;
                thrown = Record.Exception(() => Thumbnailer.Make(encoded, spec, cancel.Token)) as OperationCanceledException;
            }

            Assert.Equal(cancelled, Assert.IsType<OperationCanceledException>(thrown).CancellationToken);
        }

        // A later thumbnail is not affected.
        Assert.NotEmpty(Thumbnailer.Make(Samples.Encode("png", 20, 20), new ThumbnailSpec(10, format: format), Token));
    }

    [Fact]
    public void A_real_photo_of_16_MB_becomes_a_thumbnail()
    {
        const string Photo = "/usr/share/backgrounds/mate/abstract/Elephants_5640x3172.jpg";
        var required = Environment.GetEnvironmentVariable("CI") == "true";
        Assert.SkipUnless(required || File.Exists(Photo), "needs a real photo: apt-get install mate-backgrounds");

        using var thumbnail = Samples.Decode(Thumbnailer.Make(File.ReadAllBytes(Photo), new ThumbnailSpec(320), Token));
        Assert.Equal((320, 180), (thumbnail.Width, thumbnail.Height));
        Assert.Equal("webpload_buffer", thumbnail.Get("vips-loader"));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static byte[] HalfTransparent()
    {
        using var clear = Samples.Solid(80, 80, [0, 0, 255, 0]);
        using var solid = Samples.Solid(80, 80, [255, 0, 0, 255]);
        using var both = Image.Arrayjoin([clear, solid]);
        return both.PngsaveBuffer();
    }

    // The upright image as a camera that writes this orientation would store it.
    private static Image Store(Image upright, int orientation)
    {
        using var turned = orientation switch
        {
            5 or 6 => upright.Rot(orientation == 6 ? Enums.Angle.D270 : Enums.Angle.D90),
            7 or 8 => upright.Rot(orientation == 8 ? Enums.Angle.D90 : Enums.Angle.D270),
            3 => upright.Rot(Enums.Angle.D180),
            _ => upright.Copy(),
        };
        using var stored = orientation switch
        {
            2 or 5 or 7 => turned.Flip(Enums.Direction.Horizontal),
            4 => turned.Flip(Enums.Direction.Vertical),
            _ => turned.Copy(),
        };
        return stored.Mutate(copy => copy.Set(GValue.GIntType, "orientation", orientation));
    }
}
