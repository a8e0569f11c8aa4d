using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails.Tiff;

public class TiffTests
{
    private static readonly byte[][] Orange = [[200], [120], [40]];

    private static readonly string[] Holes = ["missing", "empty", "beyond", "cut"];
    private static readonly bool[] StripsAndTiles = [false, true];
    private static readonly ushort[] NoneAndDeflate = [1, 8];

    public static TheoryData<string, bool, ushort> Damages =>
        [.. from damage in Holes
            from tiled in StripsAndTiles
            from compression in NoneAndDeflate
            select (damage, tiled, compression)];

    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 8)]
    [InlineData(true, 1)]
    [InlineData(true, 8)]
    public void A_complete_page_is_accepted(bool tiled, ushort compression) =>
        AssertColour([200, 120, 40], new TiffFile { Pixel = Orange, IsTiled = tiled, Compression = compression });

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_page_with_a_missing_or_incomplete_block_is_refused(string damage, bool tiled, ushort compression)
    {
        var file = new TiffFile
        {
            Pixel = Orange,
            IsTiled = tiled,
            Compression = compression,
            Damage = (block, whole) => block != 2 ? whole : damage switch
            {
                "missing" => (whole.Data, 0, whole.Size),
                "empty" => (whole.Data, whole.Offset, 0),
                "beyond" => (whole.Data, 0x7FFF_0000, whole.Size),
                _ => (whole.Data, whole.Offset, 0x0100_0000),
            },
        };

        var reason = Refusal(file);
        Assert.Matches("the TIFF's (strip|tile) 2 (is missing|lies beyond the end of the file)", reason);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_block_that_does_not_decode_is_refused(bool tiled)
    {
        var file = new TiffFile
        {
            Pixel = Orange,
            IsTiled = tiled,
            Compression = 8,
            Damage = static (block, whole) => block == 1 ? ([.. whole.Data.Select(static _ => (byte)0xA5)], whole.Offset, whole.Size) : whole,
        };
        Assert.Contains("corrupt", Refusal(file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 8, 2, "8-bit signed integer samples")]
    [InlineData(1, 16, 2, "16-bit signed integer samples")]
    [InlineData(1, 32, 1, "32-bit integer samples")]
    [InlineData(1, 32, 3, "32-bit floating-point samples")]
    [InlineData(1, 16, 3, "16-bit floating-point samples")]
    [InlineData(32845, 8, 1, "LogLuv colours")]
    [InlineData(4, 8, 1, "a transparency mask")]
    public void An_unsupported_sample_format_or_colour_space_is_refused_by_name(ushort photometric, ushort bits, ushort format, string name)
    {
        var file = new TiffFile { Photometric = photometric, Bits = bits, Format = format, Pixel = [new byte[bits / 8]] };
        Assert.StartsWith($"a TIFF of {name} is not supported; ", Refusal(file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(34925, "LZMA")]
    [InlineData(50000, "Zstandard")]
    [InlineData(34887, "LERC")]
    [InlineData(6, "old-style JPEG")]
    [InlineData(12345, "unknown (12345)")]
    public void An_unsupported_compression_is_refused_by_name(ushort compression, string name)
    {
        foreach (var tiled in StripsAndTiles)
        {
            Assert.StartsWith(
                $"a TIFF of {name} compression is not supported; ",
                Refusal(new TiffFile { Pixel = Orange, Compression = compression, IsTiled = tiled }),
                StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 8)]
    public void YCbCr_without_JPEG_becomes_RGB(bool tiled, ushort compression) =>
        // BT.601: Y = 134.8, Cb = 74.5, Cr = 174.5 is about 200, 120, 40.
        AssertColour([200, 120, 40], new TiffFile { Photometric = 6, Pixel = [[135], [74], [174]], IsTiled = tiled, Compression = compression });

    [Fact]
    public void CIELab_becomes_RGB()
    {
        // L 53.24, a 80.09, b 67.20 is sRGB's red. Negative a and b: L 32.3, a 79.2, b -107.9 is its blue.
        AssertColour([255, 0, 0], new TiffFile { Photometric = 8, Pixel = [[136], [80], [67]] });
        AssertColour([0, 0, 255], new TiffFile { Photometric = 8, Pixel = [[82], [79], [unchecked((byte)-108)]], IsTiled = true, Compression = 8 });
        AssertColour(
            [255, 0, 0],
            new TiffFile
            {
                Photometric = 8,
                Bits = 16,
                Pixel = [BitConverter.GetBytes((ushort)34891), BitConverter.GetBytes((short)20503), BitConverter.GetBytes((short)17203)],
            });
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(3, true)]
    [InlineData(4, false)]
    [InlineData(32771, false)]
    public void A_fax_is_accepted_and_one_with_damaged_lines_is_refused(int compression, bool twoDimensional)
    {
        // A tag that the decoder does not know is no damage.
        foreach (var unknownTag in new[] { false, true })
        {
            using var fax = Samples.Decode(Thumbnailer.Make(
                FaxTiff.Write(compression, twoDimensional, unknownTag: unknownTag), new ThumbnailSpec(FaxTiff.Side, format: ThumbnailFormat.Png), Token));
            Assert.Equal((255.0, 0.0), (fax[16, 50][0], fax[48, 50][0]));
        }

        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var garbage = FaxTiff.Write(compression, twoDimensional, damage: lines => random.NextBytes(lines.AsSpan(lines.Length / 4, lines.Length / 2)));
            Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(garbage, new ThumbnailSpec(16), Token));
        }
    }

    [Fact]
    public void A_fax_in_tiles_is_refused_by_name() => Assert.StartsWith(
        "a TIFF of tiles of CCITT Group 4 compression is not supported; strips are",
        Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(FaxTiff.Write(4, tiled: true), new ThumbnailSpec(16), Token)).Reason,
        StringComparison.Ordinal);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_block_of_JPEG_with_a_marker_amid_its_pixels_is_refused(bool tiled)
    {
        using var image = Samples.Noise(128, 128);
        var tiff = image.TiffsaveBuffer(compression: NetVips.Enums.ForeignTiffCompression.Jpeg, tile: tiled, tileWidth: 64, tileHeight: 64);
        Assert.NotEmpty(Thumbnailer.Make(tiff, new ThumbnailSpec(16), Token));

        // The decoder stops at the marker, and invents the pixels after it.
        new byte[] { 0x12, 0xFF, 0x37, 0x12 }.CopyTo(tiff, tiff.Length / 2);
        Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(tiff, new ThumbnailSpec(16), Token));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static string Refusal(TiffFile file) => Assert.Throws<UnprocessableImageException>(
        () => Thumbnailer.Make(file.Write(), new ThumbnailSpec(16), Token)).Reason;

    private static void AssertColour(double[] colour, TiffFile file)
    {
        using var thumbnail = Samples.Decode(Thumbnailer.Make(file.Write(), new ThumbnailSpec(16, format: ThumbnailFormat.Png), Token));
        Samples.AssertColour(colour, thumbnail, 3, 3, tolerance: 6);
        Samples.AssertColour(colour, thumbnail, 12, 12, tolerance: 6);
    }
}
