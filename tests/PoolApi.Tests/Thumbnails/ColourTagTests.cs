using NetVips;
using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

/// <summary>Code points (CICP) in a PNG and an AVIF: wide gamuts become sRGB, and HDR is mapped to the range of a screen without it.</summary>
public class ColourTagTests
{
    private const int Bt709 = 1;
    private const int Bt2020 = 9;
    private const int DisplayP3 = 12;
    private const int Unspecified = 2;
    private const int Srgb = 13;
    private const int Pq = 16;
    private const int Hlg = 18;

    // The values of 203 cd/m² (paper white) and of 1,000 cd/m² in PQ and HLG, and the value that a screen without HDR shows for paper white.
    private const double PqPaper = 0.5807 * 255;
    private const double PqPeak = 0.7518 * 255;
    private const double HlgPaper = 0.75 * 255;
    private const double HlgPeak = 255;
    private const double ShownPaper = 191;

    private static readonly double[] Brick = [200, 40, 30];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    public void A_png_of_display_p3_becomes_srgb(int bits)
    {
        double[] stored = InDisplayP3(Brick);
        Assert.True(Math.Abs(stored[0] - Brick[0]) > 8, "P3 must change the numbers, or this test shows nothing");
        AssertShown(Brick, TaggedPng(stored, DisplayP3, Srgb, bits), tolerance: 4);
    }

    [Fact]
    public void An_avif_of_display_p3_becomes_srgb() =>
        AssertShown(Brick, AvifFile.Grid(64, 64, 1, 1, 64, colour: InDisplayP3(Brick), tag: (DisplayP3, Srgb)), tolerance: 8);

    [Theory]
    [InlineData(Pq, PqPaper, ShownPaper)]
    [InlineData(Pq, PqPeak, 255)]
    [InlineData(Pq, 255, 255)]
    [InlineData(Pq, 0, 0)]
    [InlineData(Hlg, HlgPaper, ShownPaper)]
    [InlineData(Hlg, HlgPeak, 255)]
    [InlineData(Hlg, 0, 0)]
    public void Hdr_tones_are_mapped(int transfer, double stored, double shown)
    {
        double[] grey = [stored, stored, stored];
        AssertShown([shown, shown, shown], TaggedPng(grey, Bt2020, transfer), tolerance: 4);
        AssertShown([shown, shown, shown], TaggedPng(grey, Bt2020, transfer, bits: 16), tolerance: 4);
        AssertShown([shown, shown, shown], AvifFile.Grid(64, 64, 1, 1, 64, colour: grey, tag: (Bt2020, transfer)), tolerance: 6);
    }

    [Fact]
    public void The_tones_of_a_grey_hdr_png_are_mapped() => AssertShown([ShownPaper], TaggedPng([PqPaper], Bt2020, Pq), tolerance: 4);

    [Theory]
    [InlineData(Bt709, Srgb)]
    [InlineData(Bt709, 1)]
    [InlineData(Unspecified, Unspecified)]
    [InlineData(0, 0)]
    [InlineData(255, 255)]
    public void Colours_tagged_as_srgb_or_unknown_are_not_changed(int primaries, int transfer)
    {
        AssertShown(Brick, TaggedPng(Brick, primaries, transfer), tolerance: 1);
        AssertShown(Brick, AvifFile.Grid(64, 64, 1, 1, 64, colour: Brick, tag: (primaries, transfer)), tolerance: 6);
    }

    [Fact]
    public void The_code_points_of_a_png_take_precedence_over_its_profile()
    {
        byte[] profiled = PngFile.With(Png(InDisplayP3(Brick), bits: 8), PngFile.Profile(Image.ProfileLoad("p3")));
        AssertShown(Brick, profiled, tolerance: 4);
        AssertShown(InDisplayP3(Brick), Tag(profiled, Bt709, Srgb), tolerance: 1);
        AssertShown(Brick, Tag(profiled, Unspecified, Unspecified), tolerance: 4);
    }

    private static double[] InDisplayP3(double[] srgb)
    {
        using Image image = Samples.Solid(1, 1, srgb);
        using Image wide = image.IccTransform("p3", inputProfile: "srgb");
        return wide[0, 0];
    }

    private static byte[] TaggedPng(double[] colour, int primaries, int transfer, int bits = 8) => Tag(Png(colour, bits), primaries, transfer);

    private static byte[] Tag(byte[] png, int primaries, int transfer) =>
        PngFile.With(png, PngFile.Chunk("cICP", [(byte)primaries, (byte)transfer, 0, 1]));

    private static byte[] Png(double[] colour, int bits)
    {
        using Image black = Image.Black(64, 64, bands: colour.Length);
        using Image shade = black + (bits == 8 ? colour : [.. colour.Select(static c => c * 257)]);
        using Image cast = shade.Rint().Cast(bits == 8 ? Enums.BandFormat.Uchar : Enums.BandFormat.Ushort);
        using Image typed = cast.Copy(interpretation: (colour.Length, bits) switch
        {
            (1, 8) => Enums.Interpretation.Bw,
            (1, _) => Enums.Interpretation.Grey16,
            (_, 8) => Enums.Interpretation.Srgb,
            _ => Enums.Interpretation.Rgb16,
        });
        return typed.PngsaveBuffer(keep: Enums.ForeignKeep.None, bitdepth: bits);
    }

    private static void AssertShown(double[] expected, byte[] image, double tolerance)
    {
        using Image thumbnail = Samples.Decode(Thumbnailer.Make(image, new ThumbnailSpec(16, format: ThumbnailFormat.Png), Token));
        Samples.AssertColour(expected, thumbnail, 8, 8, tolerance);
    }
}
