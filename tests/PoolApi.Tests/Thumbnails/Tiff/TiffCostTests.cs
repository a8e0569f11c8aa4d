using NetVips;
using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Thumbnails;
using PoolApi.Thumbnails.Inspection;
using PoolApi.Thumbnails.Tiff;
using Entry = PoolApi.Tests.Thumbnails.Containers.TiffContainer.Entry;

namespace PoolApi.Tests.Thumbnails.Tiff;

/// <summary>The cost of a TIFF is estimated from the values that the decoder reads. The length of the file bounds the time of the estimate.</summary>
[Collection(nameof(HostileImageTests))]
public class TiffCostTests
{
    private const int Short = 3;
    private const int Long = 4;

    [Theory]
    [InlineData(256, 1)]
    [InlineData(257, 1)]
    [InlineData(262, 1)]
    public void The_first_of_two_equal_tags_counts_as_in_the_decoder(int tag, int second)
    {
        // CMYK of 81 megapixels.
        byte[] bits = [8, 0, 8, 0, 8, 0, 8, 0];
        Entry[] head = [new(256, Long, 1, 9000), new(257, Long, 1, 9000), new(258, Short, 4, 8), new(259, Short, 1, 8), new(262, Short, 1, 5)];
        Entry[] tail = [new(277, Short, 1, 4), new(278, Short, 1, 9000), new(279, Long, 1, 1)];
        byte[] once = TiffContainer.Behind(bits, [.. head, new(273, Long, 1, 8), .. tail]);
        byte[] twice = TiffContainer.Behind(bits, [.. head, new(273, Long, 1, 8), .. tail, new(tag, Long, 1, second)]);

        Assert.Contains("of CPU time; at most 3 s", Inspect(once).Refusal!, StringComparison.Ordinal);
        Assert.Equal(Inspect(once).Refusal, Inspect(twice).Refusal);
    }

    [Fact]
    public void The_first_of_two_tables_of_strip_sizes_counts()
    {
        (int, int)[] strips = [.. Enumerable.Repeat((0, 1_000_000), 8_000)];
        byte[] image = TiffContainer.Blocks(
            new byte[1_000_000], tiled: false, strips,
            [new(256, Long, 1, 1), new(257, Long, 1, strips.Length), new(258, Short, 1, 8), new(259, Short, 1, 8), new(262, Short, 1, 1), new(278, Short, 1, 1)],
            new Entry(279, Long, 1, 1));
        Assert.Contains("8000 strips of 0 megapixels, which refer to 8000 MB: decoding takes an estimated", Inspect(image).Refusal!, StringComparison.Ordinal);
    }

    [Fact]
    public void The_copy_for_the_decoder_has_the_first_of_each_tag()
    {
        Entry[] entries =
        [
            new(256, Long, 1, 3), new(257, Long, 1, 3), new(258, Short, 1, 8), new(259, Short, 1, 1), new(262, Short, 1, 1), new(273, Long, 1, 8),
            new(278, Short, 1, 3), new(279, Long, 1, 9), new(256, Long, 1, 4), new(256, Long, 1, 5), new(60_000, 1, 100_000, 8),
        ];
        byte[] copy = Inspect(TiffContainer.Behind(new byte[100_000], entries)).ReadNeeded().ToArray();
        Assert.True(TiffDirectory.TryRead(copy, out TiffDirectory directory));
        Assert.Equal(8, directory.Count);
        Assert.Equal(3, directory.Number(TiffTag.ImageWidth));
    }

    [Fact]
    public void Strips_of_JPEG_that_overlap_are_inspected_up_to_twice_the_length_of_the_file()
    {
        // A scan of 1 MB full of stuffed bytes, which a walk over markers must check one by one.
        byte[] stream = [0xFF, 0xD8, 0xFF, 0xDA, 0, 2, .. Enumerable.Repeat<byte[]>([0xFF, 0], 500_000).SelectMany(static pair => pair), 0xFF, 0xD9];
        const int Strips = 6_000;
        byte[] same = Strip([.. Enumerable.Repeat((0, stream.Length), Strips)]);
        byte[] overlapping = Strip([.. Enumerable.Range(0, Strips).Select(n => (0, stream.Length - n % 2))]);

        double seconds = MachineSpeed.SecondsOf(() =>
        {
            Check(same);
            Assert.Matches("the TIFF's strip 1 is a truncated|the TIFF's strips overlap", Assert.Throws<UnprocessableImageException>(() => Check(overlapping)).Reason);
            Assert.Equal(
                "the image has 6000 strips of 0 megapixels, which refer to 6000 MB; such an image is not decoded", Inspect(overlapping).Refusal);
        });

        Assert.InRange(seconds, 0, 1);

        byte[] Strip((int, int)[] strips) => TiffContainer.Blocks(
            stream, tiled: false, strips,
            [new(256, Long, 1, 1), new(257, Long, 1, Strips), new(258, Short, 1, 8), new(259, Short, 1, 7), new(262, Short, 1, 1), new(278, Short, 1, 1)]);

        static void Check(byte[] file)
        {
            Assert.True(TiffDirectory.TryRead(file, out TiffDirectory directory));
            TiffBlocks.Check(file, directory, TiffLayout.Read(directory));
        }
    }

    [Fact]
    public void A_TIFF_with_many_scans_behind_long_streams_is_refused()
    {
        byte[] many = JpegFile.Progressive(16, 16, 400);
        byte[] data = [.. many, .. new byte[300_000]];
        const int Side = 1_600;
        // The first tiles use up the bytes that are inspected. The others are all the same stream of many scans.
        (int, int)[] tiles = [.. Enumerable.Range(0, Side * Side / 256).Select(n => n < 4 ? (n, data.Length - n) : (0, many.Length))];
        byte[] image = TiffContainer.Blocks(
            data, tiled: true, tiles,
            [
                new(256, Long, 1, Side), new(257, Long, 1, Side), new(258, Short, 1, 8), new(259, Short, 1, 7), new(262, Short, 1, 1),
                new(322, Short, 1, 16), new(323, Short, 1, 16),
            ]);
        Assert.EndsWith("such an image is not decoded", Inspect(image).Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8)] // the JPEG is higher than the page
    [InlineData(6_000)]
    public void The_coefficients_of_a_JPEG_strip_of_several_scans_count_towards_the_memory(int height)
    {
        byte[] jpeg = JpegFile.Progressive(16_000, 16_000, 2); // grey, 512 MB of coefficients
        Assert.Contains("MiB of memory", Inspect(JpegStrip(jpeg, 16_000, height)).Refusal!, StringComparison.Ordinal);
    }

    [Fact]
    public void A_JPEG_strip_of_five_components_is_refused()
    {
        byte[] jpeg = JpegFile.Progressive(64, 64, 3);
        Assert.Null(Inspect(JpegStrip(jpeg, 64, 64)).Refusal);
        jpeg[jpeg.AsSpan().IndexOf<byte>([0xFF, 0xC2]) + 9] = 5;
        Assert.EndsWith("such an image is not decoded", Inspect(JpegStrip(jpeg, 64, 64)).Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("YCbCr", 9_900, true)]
    [InlineData("YCbCr in JPEG", 9_900, true)]
    [InlineData("planes", 9_400, true)]
    [InlineData("one plane", 9_900, true)]
    [InlineData("RGB", 9_400, false)]
    [InlineData("planes", 8_000, false)]
    public void A_strip_that_is_not_read_line_by_line_counts_with_the_memory_of_the_whole_strip(string name, int side, bool isRefused)
    {
        (int compression, int photometric, int samples, int planes) = name switch
        {
            "YCbCr" => (8, 6, 3, 1),
            "YCbCr in JPEG" => (7, 6, 3, 1),
            "planes" => (8, 2, 3, 2),
            "one plane" => (8, 1, 1, 2),
            _ => (8, 2, 3, 1),
        };
        byte[] data = Samples.Encode("jpeg", 64, 64);
        byte[] image = TiffContainer.Blocks(
            data, tiled: false, [.. Enumerable.Repeat((0, data.Length), planes == 2 ? samples : 1)],
            [new(256, Long, 1, side), new(257, Long, 1, side), new(258, Short, 1, 8), new(259, Short, 1, compression), new(262, Short, 1, photometric)],
            new Entry(277, Short, 1, samples), new Entry(278, Short, 1, side), new Entry(284, Short, 1, planes));

        string? refusal = Inspect(image).Refusal;

        if (isRefused) Assert.Contains("MiB of memory", refusal!, StringComparison.Ordinal);
        else Assert.Null(refusal);
    }

    [Fact]
    public void No_further_strip_is_inspected_once_the_cost_exceeds_the_limit()
    {
        // Each of the first two costs 2 s. The third one is not a WebP.
        byte[] webp = WebpFile.Lossless(1024, 1024, 65_536);
        byte[] image = WebpStrips(webp, 1024, [(0, webp.Length), (0, webp.Length), (2, webp.Length - 2)]);
        Assert.Contains("of CPU time; at most 3 s", Inspect(image).Refusal!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Strips_and_tiles_of_WebP_are_accepted(bool tiled)
    {
        using Image noise = Samples.Noise(600, 400);
        byte[] image = noise.TiffsaveBuffer(compression: Enums.ForeignTiffCompression.Webp, lossless: true, tile: tiled, tileWidth: 64, tileHeight: 64);
        Assert.Null(Inspect(image).Refusal);
        Assert.NotEmpty(Thumbnailer.Make(image, new ThumbnailSpec(100), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(94)]
    public void Each_WebP_in_a_TIFF_costs_as_much_as_a_separate_WebP_file(int strips)
    {
        byte[] webp = WebpFile.Lossless(64, 64, 256);
        InspectedImage alone = InspectedImage.Inspect(webp, ImageKind.Webp, DecodeLimits.Default);
        InspectedImage image = Inspect(WebpStrips(webp, 64, [.. Enumerable.Repeat((0, webp.Length), strips)]));
        Assert.InRange(image.Cost.Seconds, strips * alone.Cost.Seconds, strips * (alone.Cost.Seconds + 0.001));
        Assert.InRange(image.Cost.Bytes, alone.Cost.Bytes, alone.Cost.Bytes + 1_000_000);
    }

    [Theory]
    [InlineData("incomplete")]
    [InlineData("without a container")]
    [InlineData("with alpha twice")]
    public void A_WebP_in_a_TIFF_that_the_decoder_reads_differently_is_refused(string name)
    {
        byte[] lossless = WebpFile.Lossless(64, 64, 256);
        byte[] alpha = WebpFile.WithAlphaGroups(Samples.Encode(Samples.Solid(64, 64, Samples.Red), "webp"), 64, 64, 256);
        int at = alpha.AsSpan().IndexOf("ALPH"u8);
        byte[] webp = name switch
        {
            "incomplete" => lossless[..^2],
            "without a container" => lossless[20..],
            _ => [.. alpha[..at], .. "ALPH"u8, 2, 0, 0, 0, 0, 0, .. alpha[at..]],
        };
        Assert.EndsWith("such an image is not decoded", Inspect(WebpStrips(webp, 64, [(0, webp.Length), (0, webp.Length)])).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Strips_of_WebP_that_overlap_are_inspected_up_to_twice_the_length_of_the_file()
    {
        byte[] webp = [.. WebpFile.Lossless(64, 64, 256), .. "EXIF"u8, 0, 0, 2, 0, .. new byte[0x20000]];
        Assert.Null(Overlap(2).Refusal);
        Assert.EndsWith("such an image is not decoded", Overlap(6).Refusal, StringComparison.Ordinal);

        InspectedImage Overlap(int strips) => Inspect(WebpStrips(webp, 64, [.. Enumerable.Range(0, strips).Select(n => (0, webp.Length - n % 2))]));
    }

    private static byte[] JpegStrip(byte[] jpeg, int width, int height) => TiffContainer.Blocks(
        jpeg, tiled: false, [(0, jpeg.Length)],
        [new(256, Long, 1, width), new(257, Long, 1, height), new(258, Short, 1, 8), new(259, Short, 1, 7), new(262, Short, 1, 1), new(278, Short, 1, height)]);

    private static byte[] WebpStrips(byte[] webp, int side, (int, int)[] strips) => TiffContainer.Blocks(
        webp, tiled: false, strips,
        [new(256, Long, 1, side), new(257, Long, 1, side * strips.Length), new(258, Short, 1, 8), new(259, Short, 1, 50_001), new(262, Short, 1, 2)],
        new Entry(277, Short, 1, 3), new Entry(278, Short, 1, side));

    private static InspectedImage Inspect(byte[] image) => InspectedImage.Inspect(image, ImageKind.Tiff, DecodeLimits.Default);
}
