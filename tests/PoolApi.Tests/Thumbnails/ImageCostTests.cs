using System.Diagnostics;
using System.IO.Compression;
using CsCheck;
using NetVips;
using PoolApi.Tests.Service;
using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Thumbnails;
using PoolApi.Thumbnails.Inspection;

namespace PoolApi.Tests.Thumbnails;

/// <summary>An accepted image stays within the limits of CPU time and memory, whatever its container declares. Others are refused by their cost.</summary>
[Collection(nameof(HostileImageTests))]
[Trait("Category", "Slow")]
public class ImageCostTests
{
    private const int MiB = 1 << 20;

    // The most memory that an accepted image may take at the default limits.
    private const long MaxBytes = 300_000_000;

    private static readonly ThumbnailSpec Small = new(160);
    private static readonly byte[] Still = Samples.Encode(Samples.Solid(1, 1, Samples.Red), "webp");
    private static readonly byte[] Png = Samples.Encode("png", 64, 64);
    private static readonly byte[] Jpeg = Samples.Encode("jpeg", 64, 64);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Expensive => ["avif-grid", "avif-frames", "jpeg-scans", "png-interlaced", "gif-canvas", "webp-canvas", "webp-groups", "webp-alpha-groups", "tiff-tile", "tiff-tiles", "tiff-webp", "png-late-header", "gif-empty-block"];

    public static TheoryData<string> Cheap =>
        ["png-ztxt", "png-itxt", "png-iccp", "webp-frames", "jpeg-app2", "jpeg-com", "tiff-pages", "bigtiff-pages", "tiff-tags", "gif-frames", "webp-chunks"];

    [Theory]
    [MemberData(nameof(Expensive))]
    public void An_expensive_image_is_refused_before_decoding_with_its_cost_and_the_limit(string name)
    {
        (byte[] image, string found) = name switch
        {
            "avif-grid" => (AvifFile.Grid(64, 64, 16, 16, 1024), "268.44 megapixels"),
            "avif-frames" => (AvifFile.Grid(64, 64, 1, 1, 1024, frames: 120), "megapixels"),
            "jpeg-scans" => (JpegFile.Progressive(8192, 8192, 500), "500 scans of 67.11 megapixels"),
            "png-interlaced" => (PngFile.Blank(10_000, 10_000, interlaced: true), "interlaced"),
            "gif-canvas" => (GifFile.Animated(10_000, 10_000, 1), "100 megapixels"),
            "webp-canvas" => (WebpFile.Animated(Still, 1, 1, 10_000, 10_000, 2), "100 megapixels"),
            "webp-groups" => (WebpFile.Lossless(1024, 1024, 65_536), "65536 groups of prefix codes"),
            "webp-alpha-groups" => (
                WebpFile.WithAlphaGroups(Samples.Encode(Samples.Solid(1024, 1024, Samples.Red), "webp"), 1024, 1024, 65_536), "65536 groups of prefix codes"),
            "tiff-tile" => (TiffContainer.SharedTiles(1, 1, 32_000), "1024 megapixels"),
            "tiff-tiles" => (TiffContainer.SharedTiles(9_984, 9_984, 16), "389376 tiles"),
            "tiff-webp" => (WebpTiff(94), "94 strips of 1.05 megapixels"),
            "png-late-header" => (PngFile.Before(PngFile.Blank(10_000, 10_000, interlaced: true), PngFile.CompressedText(100)), "interlaced"),
            "gif-empty-block" => (GifFile.BehindEmptyBlock(10_000, 9_999), "99.99 megapixels"),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };

        (double seconds, long bytes, string? refusal) = Measure(0.5, image);

        Assert.NotNull(refusal);
        Assert.Contains(found, refusal, StringComparison.Ordinal);
        Assert.Matches("estimated .* at most (3 s|286) are accepted", refusal);
        Assert.InRange(seconds, 0, 0.5);
        Assert.InRange(bytes, long.MinValue, 32 * MiB);
    }

    [Theory]
    [MemberData(nameof(Cheap))]
    public void Data_that_the_thumbnail_does_not_need_costs_little_time_and_memory(string name)
    {
        byte[] image = name switch
        {
            "png-ztxt" => PngFile.With(Png, [.. Enumerable.Repeat(PngFile.CompressedText(48_000_000), 20)]),
            "png-itxt" => PngFile.With(Png, PngFile.CompressedInternationalText(48_000_000)),
            "png-iccp" => PngFile.With(Png, PngFile.Profile(48_000_000)),
            "webp-frames" => WebpFile.Animated(Still, 1, 1, 64, 64, 60_000),
            "jpeg-app2" => JpegFile.WithMarkers(Jpeg, 0xFFE2, 2_000_000),
            "jpeg-com" => JpegFile.WithMarkers(Jpeg, 0xFFFE, 2_000_000),
            "tiff-pages" => TiffContainer.Pages(200_000),
            "bigtiff-pages" => TiffContainer.Pages(50_000, bigEndian: true, big: true),
            "tiff-tags" => TiffContainer.WithEntries(60, 50_000, 5_000_000),
            "gif-frames" => GifFile.Animated(64, 64, 100_000, comments: 2),
            "webp-chunks" => WebpFile.WithChunks(Still, 1, 1, "XTRA", 500_000, 0),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };

        (double seconds, long bytes, string? refusal) = Measure(0.8, image);

        Assert.Null(refusal);
        Assert.InRange(seconds, 0, 0.8);
        Assert.InRange(bytes, long.MinValue, 64 * MiB);
    }

    [Theory]
    [InlineData("items")]
    [InlineData("pieces")]
    [InlineData("references")]
    [InlineData("properties")]
    public void An_avif_with_too_many_table_entries_is_refused(string name)
    {
        byte[] image = name switch
        {
            "items" => AvifFile.Items(1_000_000),
            "pieces" => AvifFile.Pieces(160, 65_535),
            "references" => AvifFile.References(80, 65_535),
            "properties" => AvifFile.Properties(1_500_000),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };

        (double seconds, long bytes, string? refusal) = Measure(0.5, image);

        Assert.Equal("the image has more than 262144 entries in its tables of items; such an image is not decoded", refusal);
        Assert.InRange(seconds, 0, 0.5);
        Assert.InRange(bytes, long.MinValue, 64 * MiB);
    }

    [Theory]
    [InlineData("png", 5_000_000, 20)]
    [InlineData("png-rgba", 2_000_000, 40)]
    [InlineData("png-16", 1_000_000, 60)]
    [InlineData("png-transparent", 500_000, 150)]
    [InlineData("png-interlaced", 300_000, 200)]
    [InlineData("gif", 65_000, 600)]
    [InlineData("tiff", 2_000_000, 40)]
    public void A_very_wide_image_is_refused_for_the_memory_of_its_lines(string name, int width, int height)
    {
        (double seconds, long bytes, string? refusal) = Measure(0.5, Wide(name, width, height));

        Assert.Matches("estimated .* MiB of memory with the image itself; at most 286 are accepted", refusal!);
        Assert.InRange(seconds, 0, 0.5);
        Assert.InRange(bytes, long.MinValue, 32 * MiB);
    }

    [Theory]
    [InlineData("png", 30_000, 3_000)]
    [InlineData("png", 65_000, 1_500)]
    [InlineData("png-rgba", 30_000, 3_000)]
    [InlineData("png", 200_000, 100)]
    [InlineData("png-rgba", 150_000, 40)]
    [InlineData("png-16", 20_000, 2_000)]
    [InlineData("png-transparent", 30_000, 2_000)]
    [InlineData("png-interlaced", 65_000, 300)]
    [InlineData("gif", 65_000, 100)]
    [InlineData("gif", 30_000, 900)]
    [InlineData("tiff", 30_000, 3_000)]
    [InlineData("tiff-tiles", 30_000, 3_000)]
    public void A_panorama_is_accepted_and_needs_no_more_memory_than_estimated(string name, int width, int height)
    {
        byte[] image = Wide(name, width, height);
        Assert.True(ImageSniffer.TryRecognise(image, out ImageKind? kind));
        DecodeCost cost = Inspect(image, kind.Value).Cost;

        (_, long bytes, string? refusal) = Measure(3, image);

        Assert.Null(refusal);
        Assert.InRange(bytes, long.MinValue, (long)(cost.Bytes + cost.HeldBytes) + 20 * MiB);
    }

    [Theory]
    [InlineData("planes", 6_000, 6_000)]
    [InlineData("planes", 6_000, 2_000)]
    [InlineData("planes-16", 4_000, 4_000)]
    [InlineData("planes-16", 4_000, 1_000)]
    [InlineData("one-plane", 6_000, 6_000)]
    [InlineData("ycc", 4_000, 4_000)]
    [InlineData("ycc", 4_000, 1_000)]
    [InlineData("ycc-jpeg", 4_000, 4_000)]
    [InlineData("ycc-jpeg", 4_000, 1_000)]
    [InlineData("ycc-jpeg", 8_000, 125)]
    [InlineData("jpeg-progressive", 6_000, 6_000)]
    [InlineData("jpeg-higher", 6_000, 6_000)]
    [InlineData("stored", 6_800, 6_800)]
    public void A_tiff_of_high_strips_is_accepted_and_needs_no_more_memory_than_estimated(string name, int side, int rows)
    {
        byte[] image = HighStrips(name, side, rows);
        DecodeCost cost = Inspect(image, ImageKind.Tiff).Cost;

        (_, long bytes, string? refusal) = Measure(3, image);

        Assert.Null(refusal);
        Assert.InRange(bytes, long.MinValue, (long)cost.Bytes + 20 * MiB);
    }

    // A page of strips that all are the same bytes.
    private static byte[] HighStrips(string name, int side, int rows)
    {
        const int Short = 3, Long = 4;
        (int bits, int compression, int photometric, int samples, int planes) = name switch
        {
            "planes" => (8, 8, 2, 3, 2),
            "planes-16" => (16, 8, 2, 3, 2),
            "stored" => (8, 8, 1, 1, 1),
            "one-plane" => (8, 8, 1, 1, 2),
            "ycc" => (8, 8, 6, 3, 1),
            "ycc-jpeg" => (8, 7, 6, 3, 1),
            _ => (8, 7, 1, 1, 1),
        };
        byte[] strip = name switch
        {
            "planes" or "one-plane" => Deflate(side * rows),
            "planes-16" => Deflate(2 * side * rows),
            "stored" => Deflate(side * rows, CompressionLevel.NoCompression), // 46 MB, which the decoder reads as a whole
            "ycc" => Deflate(3 * side * rows / 2), // four pixels share chroma
            "ycc-jpeg" => Samples.Encode(Samples.Solid(side, rows, Samples.Red), "jpeg"),
            _ => JpegFile.Progressive(side, side, 2),
        };
        int height = name == "jpeg-higher" ? side / 4 : side;
        int count = (planes == 2 ? samples : 1) * ((height + rows - 1) / rows);
        return TiffContainer.Blocks(
            strip, tiled: false, [.. Enumerable.Repeat((0, strip.Length), count)],
            [new(256, Long, 1, side), new(257, Long, 1, height), new(258, Short, 1, bits), new(259, Short, 1, compression), new(262, Short, 1, photometric)],
            new TiffContainer.Entry(277, Short, 1, samples), new TiffContainer.Entry(278, Short, 1, rows), new TiffContainer.Entry(284, Short, 1, planes));

        static byte[] Deflate(int zeros, CompressionLevel level = CompressionLevel.Fastest)
        {
            using var packed = new MemoryStream();
            using (var zlib = new ZLibStream(packed, level)) zlib.Write(new byte[zeros]);
            return packed.ToArray();
        }
    }

    private static byte[] Wide(string name, int width, int height) => name switch
    {
        "png" => PngFile.Blank(width, height),
        "png-rgba" => PngFile.Blank(width, height, colourType: 6),
        "png-16" => PngFile.Blank(width, height, bits: 16, colourType: 6),
        "png-transparent" => PngFile.Blank(width, height, chunks: [PngFile.Chunk("tRNS", [0, 1, 0, 1, 0, 1])]),
        "png-interlaced" => PngFile.Blank(width, height, interlaced: true),
        "gif" => WideGif(width, height),
        _ => WideTiff(width, height, isTiled: name == "tiff-tiles"),
    };

    // Strips that all are the same WebP, which has many groups of prefix codes.
    private static byte[] WebpTiff(int strips)
    {
        const int Short = 3, Long = 4, Side = 1024;
        byte[] webp = WebpFile.Lossless(Side, Side, 65_536);
        return TiffContainer.Blocks(
            webp, tiled: false, [.. Enumerable.Repeat((0, webp.Length), strips)],
            [new(256, Long, 1, Side), new(257, Long, 1, Side * strips), new(258, Short, 1, 8), new(259, Short, 1, 50_001), new(262, Short, 1, 2)],
            new TiffContainer.Entry(277, Short, 1, 3), new TiffContainer.Entry(278, Short, 1, Side));
    }

    private static byte[] WideGif(int width, int height)
    {
        using Image red = Samples.Solid(width, height, Samples.Red);
        return red.GifsaveBuffer(effort: 1);
    }

    private static byte[] WideTiff(int width, int height, bool isTiled)
    {
        using Image black = Samples.Solid(width, height, Samples.Red);
        return black.TiffsaveBuffer(compression: Enums.ForeignTiffCompression.Deflate, tile: isTiled, tileWidth: isTiled ? 256 : null, tileHeight: isTiled ? 256 : 16);
    }

    [Theory]
    [InlineData("jpeg", 9_600, 9_600)]
    [InlineData("jpeg-444", 6_800, 6_800)]
    [InlineData("gif", 7_800, 7_800)]
    [InlineData("webp-lossless", 8_100, 8_100)]
    [InlineData("webp-alpha", 7_000, 7_000)]
    [InlineData("png-interlaced", 6_500, 6_700)]
    public void The_encoded_image_itself_counts_towards_the_memory_limit(string name, int width, int height)
    {
        byte[] image = name switch
        {
            "jpeg" => JpegFile.Progressive(width, height, 3, chroma: 2),
            "jpeg-444" => JpegFile.Progressive(width, height, 3, chroma: 1),
            "gif" => GifFile.Animated(width, height, 1),
            "webp-lossless" => WebpFile.Lossless(width, height, 1),
            "webp-alpha" => WebpFile.WithAlphaGroups(Samples.Encode(Samples.Solid(width, height, Samples.Red), "webp"), width, height, 1),
            "png-interlaced" => PngFile.Blank(width, height, interlaced: true),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };
        // A file just below the limit, which is accepted, and one just above it.
        Assert.True(ImageSniffer.TryRecognise(image, out ImageKind? kind));
        const double HeldPerByte = 4.0 / 3;
        double room = ((DecodeLimits.Default.MaxMegabytes - 10) * (double)MiB - Inspect(image, kind.Value).Cost.Bytes) / HeldPerByte - image.Length;
        Assert.InRange(room, 0, 32 * MiB);
        byte[] tooLong = Extend(image, (int)room + MiB);
        Assert.Matches("estimated 287 MiB of memory with the image itself; at most 286 are accepted", Inspect(tooLong, kind.Value).Refusal!);

        byte[] longest = Extend(image, (int)room - MiB);
        (double seconds, long bytes, string? refusal) = Measure(3, longest);

        Assert.Null(refusal);
        Assert.InRange(seconds, 0, 3);
        Assert.InRange(bytes + (long)(longest.Length * HeldPerByte), long.MinValue, MaxBytes);

        // Appends bytes, which decoders ignore. They are not zero, so they occupy memory.
        static byte[] Extend(byte[] image, int more)
        {
            byte[] extended = new byte[image.Length + more];
            image.CopyTo(extended, 0);
            extended.AsSpan(image.Length).Fill(0x55);
            return extended;
        }
    }

    [Fact]
    public void A_progressive_photo_of_ten_scans_is_accepted()
    {
        Assert.Null(Inspect(JpegFile.Progressive(10_000, 10_000, 10), ImageKind.Jpeg).Refusal);
        Assert.NotEmpty(Thumbnailer.Make(JpegFile.Progressive(1_000, 1_000, 10), Small, Token));
    }

    [Theory]
    [InlineData(0xC2)]
    [InlineData(0xDA)]
    public void The_excerpt_of_a_jpeg_contains_no_marker_that_the_image_lacks(byte marker)
    {
        // A fill byte, a segment that the excerpt drops, and the second byte of the marker. Without the segment the two bytes would be a marker.
        byte[] jpeg = JpegFile.WithMarkers(JpegFile.Progressive(8192, 8192, 500), 0xFFFE, 70);
        int at = jpeg.AsSpan().IndexOf<byte>([0xFF, marker]);
        byte[] hidden = [.. jpeg[..at], 0xFF, 0xFF, 0xE1, 0, 2, .. jpeg[(at + 1)..]];
        int left = hidden.AsSpan().Count<byte>([0xFF, marker]);

        ReadOnlyMemory<byte> needed = Inspect(hidden, ImageKind.Jpeg).ReadNeeded();

        Assert.InRange(needed.Length, 1, hidden.Length - 1);
        Assert.Equal(left, needed.Span.Count<byte>([0xFF, marker]));
    }

    [Fact]
    public void A_jpeg_of_five_components_is_refused()
    {
        byte[] jpeg = JpegFile.Progressive(64, 64, 3);
        int at = jpeg.AsSpan().IndexOf<byte>([0xFF, 0xC2]);
        byte[] more = [.. Enumerable.Range(2, 4).SelectMany(static n => (byte[])[(byte)n, 0x11, 0])];
        byte[] five = [.. jpeg[..(at + 3)], 23, .. jpeg[(at + 4)..(at + 9)], 5, .. jpeg[(at + 10)..(at + 13)], .. more, .. jpeg[(at + 13)..]];
        Assert.Equal("the image has 5 components; such an image is not decoded", Inspect(five, ImageKind.Jpeg).Refusal);
    }

    [Fact]
    public void An_image_is_refused_if_the_decoder_sees_a_larger_size_than_the_inspection()
    {
        // The header is replaced after the inspection, as if the decoder read another one.
        byte[] png = PngFile.Blank(1000, 1000);
        InspectedImage image = Inspect(png, ImageKind.Png);
        PngFile.Blank(1000, 1100).AsSpan(0, 33).CopyTo(png);

        var refused = Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(image, Small, Token));

        Assert.Equal("the image has 1.1 megapixels, and 1 megapixels by its first header; such an image is not decoded", refused.Reason);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(300)]
    [InlineData(2600)]
    public void The_prefix_code_groups_of_a_lossless_webp_are_counted_and_the_usual_numbers_are_accepted(int groups)
    {
        byte[] image = WebpFile.Lossless(512, 512, groups);
        Assert.Equal(groups, Vp8lStream.CountGroups(image.AsSpan(25), 512, 512));
        Assert.NotEmpty(Thumbnailer.Make(image, Small, Token));
    }

    [Fact]
    public void Groups_are_counted_quickly_if_their_index_image_takes_no_bits()
    {
        byte[] stream = WebpFile.CopiesThatTakeNoBits();
        Assert.InRange(
            MachineSpeed.SecondsOf(() =>
            {
                for (int n = 0; n < 20; n++) Assert.Equal(1, Vp8lStream.CountGroups(stream, 16_384, 16_384));
            }),
            0, 0.1);
    }

    [Fact]
    public void A_webp_frame_with_many_pictures_is_inspected_quickly()
    {
        byte[] image = WebpFile.FrameOfPictures(200_000);
        Assert.InRange(MachineSpeed.SecondsOf(() => Inspect(image, ImageKind.Webp)), 0, 0.3);
    }

    [Fact]
    public void Prefix_code_groups_behind_the_transforms_of_a_webp_are_counted()
    {
        // Noise on one side and one colour on the other: the encoder predicts, and has more than one group.
        using Image noise = Samples.Noise(600, 600);
        using Image flat = Samples.Solid(600, 600, Samples.Red);
        using Image both = Image.Arrayjoin([noise, flat]);
        byte[] image = both.WebpsaveBuffer(lossless: true, effort: 0, keep: Enums.ForeignKeep.None);
        int at = image.AsSpan().IndexOf("VP8L"u8) + 8 + 5;
        Assert.InRange(Vp8lStream.CountGroups(image.AsSpan(at), 1200, 600), 2, 2600);
    }

    [Theory]
    [InlineData(ThumbnailFormat.Avif, true)]
    [InlineData(ThumbnailFormat.Png, true)]
    [InlineData(ThumbnailFormat.Webp, false)]
    [InlineData(ThumbnailFormat.Jpeg, false)]
    public void The_cost_of_encoding_the_thumbnail_counts_towards_the_limit(ThumbnailFormat format, bool isRefused)
    {
        // 4096 × 8064 pixels of a small image. The header decides: nothing is decoded.
        InspectedImage image = Inspect(PngFile.Blank(64, 126), ImageKind.Png);
        var geometry = ThumbnailGeometry.Plan(64, 126, sideways: false, new ThumbnailSpec(4096, format: format));

        string? refusal = ResultCost.Refusal(image, geometry, bands: 3, format);

        Assert.Equal(isRefused, refusal is not null);
        if (isRefused) Assert.Matches("the thumbnail would have 33.03 megapixels: making it as (AVIF|PNG) takes an estimated .* s of CPU time; at most 3 s", refusal!);
    }

    [Theory]
    [InlineData(ThumbnailFormat.Webp)]
    [InlineData(ThumbnailFormat.Jpeg)]
    [InlineData(ThumbnailFormat.Png)]
    [InlineData(ThumbnailFormat.Avif)]
    public void A_large_result_that_is_accepted_stays_within_the_limits(ThumbnailFormat format)
    {
        (double seconds, long bytes, string? refusal) = Measure(6, Samples.Encode("jpeg", 256, 192), new ThumbnailSpec(3000, format: format));
        Assert.Null(refusal);
        Assert.InRange(seconds, 0, 6);
        Assert.InRange(bytes, long.MinValue, MaxBytes);
    }

    [Fact]
    public void A_source_that_is_cropped_before_it_is_resized_costs_twice_as_much_time()
    {
        int scans = 1_000;
        while (Inspect(JpegFile.Progressive(30_000, 300, scans), ImageKind.Jpeg).Cost.Seconds < 1.8) scans += 100;
        InspectedImage image = Inspect(JpegFile.Progressive(30_000, 300, scans), ImageKind.Jpeg);
        Assert.Null(image.Refusal);

        var refused = Assert.Throws<UnprocessableImageException>(
            () => Thumbnailer.Make(image, new ThumbnailSpec(400, fit: ThumbnailFit.Cover), Token));

        Assert.Matches("an estimated 3.[6-9] s of CPU time; at most 3 s", refused.Reason);
    }

    [Fact]
    public void A_source_that_is_cropped_before_it_is_resized_needs_the_memory_of_one_decoder()
    {
        byte[] image = JpegFile.Progressive(60_000, 600, 2, chroma: 1);
        DecodeCost cost = Inspect(image, ImageKind.Jpeg).Cost;
        Assert.InRange(cost.Bytes, 200 * MiB, 250 * MiB);

        (_, long bytes, string? refusal) = Measure(3, image, new ThumbnailSpec(400, fit: ThumbnailFit.Cover));

        Assert.Null(refusal);
        Assert.InRange(bytes, long.MinValue, (long)(1.7 * cost.Bytes));
    }

    [Fact]
    public void An_image_within_the_default_limits_is_refused_by_stricter_ones()
    {
        byte[] scans = JpegFile.Progressive(1024, 1024, 100);
        Assert.Null(Inspect(scans, ImageKind.Jpeg).Refusal);
        var strict = DecodeLimits.Default with { MaxTime = TimeSpan.FromMilliseconds(10) };
        var refused = Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(scans, Small, strict, Token));
        Assert.Contains("at most 0.01 s are accepted", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_with_an_expensive_image_is_refused_before_it_is_queued()
    {
        await using ServiceApp app = ServiceApp.With(("Thumbnails:MaxDecodeTime", "00:00:00.0100000"), ("Jobs:Store", "none"));
        using HttpClient client = app.CreateClient();
        using var body = new ByteArrayContent(JpegFile.Progressive(1024, 1024, 100));
        using HttpResponseMessage response = await client.PostAsync(new Uri("/v1/thumbnails?width=160", UriKind.Relative), body, Token);
        await ServiceApp.AssertProblem(response, 422, "unprocessable-image", "body", "at most 0.01 s are accepted");
        Assert.False(response.Headers.Contains("Server-Timing"));
    }

    [Fact]
    public void The_inspection_of_an_image_with_changed_bytes_throws_no_exception()
    {
        (ImageKind Kind, byte[] Bytes)[] seeds =
        [
            (ImageKind.Jpeg, JpegFile.WithMarkers(JpegFile.Progressive(64, 64, 5), 0xFFE2, 70)),
            (ImageKind.Png, PngFile.With(Png, PngFile.CompressedText(9000), PngFile.Profile(9000))),
            (ImageKind.Webp, WebpFile.Animated(Still, 1, 1, 64, 64, 4)),
            (ImageKind.Webp, WebpFile.WithChunks(Still, 1, 1, "XTRA", 70, 3)),
            (ImageKind.Gif, GifFile.Animated(64, 64, 4, comments: 2)),
            (ImageKind.Tiff, TiffContainer.Pages(3)),
            (ImageKind.Tiff, TiffContainer.Pages(3, bigEndian: true, big: true)),
            (ImageKind.Tiff, TiffContainer.SharedTiles(64, 64, 16)),
            (ImageKind.Avif, AvifFile.Grid(64, 64, 2, 2, 64)),
        ];
        Gen<(int Seed, (int At, byte Value)[] Changes, int Cut)> mutations = Gen.Select(
            Gen.Int[0, seeds.Length - 1],
            Gen.Select(Gen.Int[0, 1 << 16], Gen.OneOf(Gen.Byte, Gen.Const((byte)0xFF), Gen.Const((byte)0))).Array[0, 12],
            Gen.Int[0, 1 << 17]);
        mutations.Sample(
            mutation =>
            {
                (ImageKind kind, byte[] original) = seeds[mutation.Seed];
                byte[] bytes = (byte[])original.Clone();
                foreach ((int at, byte value) in mutation.Changes) bytes[12 + at % Math.Min(bytes.Length - 12, 700)] = value;
                if (mutation.Cut < bytes.Length) bytes = bytes[..Math.Max(mutation.Cut, 12)];
                InspectedImage image = Inspect(bytes, kind);
                if (image.Refusal is not null) return;
                Assert.InRange(image.ReadNeeded().Length, 1, bytes.Length + 1);
            },
            iter: 10_000,
            threads: 1);
    }

    [Fact]
    public void Containers_of_random_counts_and_sizes_stay_within_the_limits_if_they_are_accepted()
    {
        int accepted = 0;
        Gen.Select(Gen.Int[0, 6], Gen.Int[1, 40], Gen.Int[1, 12]).Sample(
            (kind, count, size) =>
            {
                byte[] image = kind switch
                {
                    0 => JpegFile.Progressive(128 * size, 128 * size, 1 + count * count / 8),
                    1 => PngFile.With(PngFile.Blank(300 * size, 300 * size, interlaced: count % 2 == 0), [.. Enumerable.Repeat(PngFile.CompressedText(size * 1_000_000), 2)]),
                    2 => WebpFile.Animated(Still, 1, 1, 400 * size, 400 * size, count * 100),
                    3 => GifFile.Animated(400 * size, 400 * size, count * 100, size),
                    4 => TiffContainer.Pages(count * size * 50, bigEndian: count % 2 == 0, big: size % 2 == 0),
                    5 => TiffContainer.SharedTiles(200 * size, 200 * count, 16 * (1 + size)),
                    _ => AvifFile.Grid(64 * Math.Min(count, 8), 64, Math.Min(count, 8), 1, 64),
                };
                (double seconds, long bytes, string? refusal) = Measure(3, image);
                Assert.InRange(seconds, 0, 3);
                Assert.InRange(bytes, long.MinValue, MaxBytes);
                if (refusal is null) accepted++;
            },
            iter: 25,
            threads: 1);
        Assert.NotEqual(0, accepted);
    }

    private static InspectedImage Inspect(byte[] image, ImageKind kind) => InspectedImage.Inspect(image, kind, DecodeLimits.Default);

    // Other processes on the cores increase the CPU time, and never decrease it. So the least of up to three measurements counts.
    private static (double Seconds, long Bytes, string? Refusal) Measure(double most, byte[] image, ThumbnailSpec? spec = null)
    {
        (double Seconds, long Bytes, string? Refusal) least = MeasureOnce(most, image, spec);
        for (int again = 0; again < 2 && least.Seconds > most; again++)
        {
            (double Seconds, long Bytes, string? Refusal) next = MeasureOnce(most, image, spec);
            if (next.Seconds < least.Seconds) least = next with { Bytes = Math.Max(next.Bytes, least.Bytes) };
        }
        return least;
    }

    // Measures the whole process, in which nothing else runs beside these tests. A time above the limit is converted to that of an idle machine. A shorter
    // time is not, because measuring the machine takes as long as most images.
    private static (double Seconds, long Bytes, string? Refusal) MeasureOnce(double most, byte[] image, ThumbnailSpec? spec)
    {
        Thumbnailer.Make(Png, new ThumbnailSpec(8), Token);
        GC.Collect();
        File.WriteAllText("/proc/self/clear_refs", "5");
        var before = Process.GetCurrentProcess();
        (long memory, TimeSpan cpu) = (before.WorkingSet64, before.TotalProcessorTime);
        string? refusal = null;
        try
        {
            Thumbnailer.Make(image, spec ?? Small, Token);
        }
        catch (UnprocessableImageException e)
        {
            refusal = e.Reason;
        }
        var after = Process.GetCurrentProcess();
        double seconds = (after.TotalProcessorTime - cpu).TotalSeconds;
        double slowness = seconds > most ? MachineSpeed.Slowness() : 1;
        TestContext.Current.TestOutputHelper?.WriteLine($"{seconds} s on a machine that is {slowness} times as slow as when it is idle");
        return (seconds / slowness, after.PeakWorkingSet64 - memory, refusal);
    }
}
