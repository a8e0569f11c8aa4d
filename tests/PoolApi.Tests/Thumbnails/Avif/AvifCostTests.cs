using System.Diagnostics;
using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Thumbnails;
using PoolApi.Thumbnails.Avif;
using PoolApi.Thumbnails.Inspection;
using Part = PoolApi.Tests.Thumbnails.Containers.AvifFile.Part;

namespace PoolApi.Tests.Thumbnails.Avif;

/// <summary>The cost of an AVIF is estimated from the data that the decoder decodes. The length of the file bounds the time of the estimate.</summary>
[Collection(nameof(HostileImageTests))]
public class AvifCostTests
{
    private const int Side = 1024;
    private const int Frames = 120;

    private static readonly byte[] Small = AvifFile.Coded(64, Samples.Red, out SmallConfig);
    private static readonly byte[] Frame = AvifFile.Coded(Side, Samples.Red, out Config);
    private static readonly byte[] ManyFrames = [.. Enumerable.Repeat(Frame, Frames).SelectMany(static frame => frame)];
    private static readonly byte[] SmallConfig;
    private static readonly int[] Primary = [1];
    private static readonly byte[] Config;

    private static Part Cheap(int id) => new(id, "av01", Small, 64, 64, SmallConfig);

    private static Part Expensive(int id, bool isAlpha = false) => new(id, "av01", ManyFrames, Side, Side, Config, isAlpha);

    [Theory]
    [InlineData("coded-with-source")]
    [InlineData("configuration")]
    [InlineData("alpha-of-tile")]
    [InlineData("alpha-of-alpha")]
    [InlineData("two-primaries")]
    [InlineData("two-places")]
    [InlineData("behind-many-levels")]
    public void An_avif_that_hides_expensive_data_is_refused(string name)
    {
        byte[] image = name switch
        {
            "coded-with-source" => AvifFile.Of([Expensive(1), Cheap(2)], [("dimg", 1, [2])]),
            "configuration" => AvifFile.Of([new Part(1, "av01", Small, 64, 64, AvifFile.Configuration(Config, ManyFrames))], []),
            "alpha-of-tile" => AvifFile.Of(
                [new Part(1, "grid", AvifFile.GridHeader(64, 64, 1), 64, 64), Cheap(2), Expensive(3, isAlpha: true)], [("dimg", 1, [2]), ("auxl", 3, [2])]),
            "alpha-of-alpha" => AvifFile.Of(
                [Cheap(1), Cheap(2) with { IsAlpha = true }, Expensive(3, isAlpha: true)], [("auxl", 2, [1]), ("auxl", 3, [2])]),
            "two-primaries" => AvifFile.Of([Cheap(1), Expensive(2)], [], primaries: [2, 1]),
            "two-places" => AvifFile.Of([Expensive(1), Cheap(1)], []),
            "behind-many-levels" => AvifFile.Of(
                [.. Enumerable.Range(1, 12).Select(static id => new Part(id, "iden", [], 64, 64)), Expensive(13)],
                [.. Enumerable.Range(1, 12).Select(static id => ("dimg", id, new[] { id + 1 }))]),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };
        Assert.Matches("of CPU time; at most 3 s|such an image is not decoded", Inspect(image).Refusal ?? "it is accepted");
    }

    [Fact]
    public void An_avif_with_an_alpha_image_or_a_grid_is_accepted()
    {
        Assert.NotEmpty(Make(AvifFile.Of([Cheap(1), Cheap(2) with { IsAlpha = true }], [("auxl", 2, [1])])));
        Assert.NotEmpty(Make(AvifFile.Of([new Part(1, "grid", AvifFile.GridHeader(128, 64, 2), 128, 64), Cheap(2), Cheap(3)], [("dimg", 1, [2, 3])])));
    }

    [Theory]
    [InlineData("circle-of-alphas", "items that refer to each other in a circle")]
    [InlineData("circle-of-sources", "items that refer to each other in a circle")]
    [InlineData("half-a-unit", "a configuration that ends within a unit")]
    [InlineData("box-length", "a box of an impossible length")]
    [InlineData("jpeg-tile", "parts that are not coded as AV1")]
    public void An_ambiguous_avif_is_refused_with_the_reason(string name, string found)
    {
        byte[] image = name switch
        {
            "circle-of-alphas" => AvifFile.Of([Cheap(1) with { IsAlpha = true }, Cheap(2) with { IsAlpha = true }], [("auxl", 2, [1]), ("auxl", 1, [2])]),
            "circle-of-sources" => AvifFile.Of([new Part(1, "iden", [], 64, 64), new Part(2, "iden", [], 64, 64)], [("dimg", 1, [2]), ("dimg", 2, [1])]),
            "half-a-unit" => AvifFile.Of([new Part(1, "av01", Small, 64, 64, AvifFile.Configuration(Config, [0x7A, 5, 0]))], []),
            "box-length" => AvifFile.Of([Cheap(1)], [], before: [[0, 0, 0, 4]]),
            "jpeg-tile" => AvifFile.Of(
                [new Part(1, "grid", AvifFile.GridHeader(64, 64, 1), 64, 64), new Part(2, "jpeg", Samples.Encode("jpeg", 64, 64), 64, 64)], [("dimg", 1, [2])]),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };
        Assert.Equal($"the image has {found}; such an image is not decoded", Inspect(image).Refusal);
    }

    [Fact]
    public void Reference_paths_count_towards_the_cost_even_to_items_without_pixels()
    {
        // 8 levels, each of which refers 20 times to the next one.
        byte[] image = AvifFile.Of(
            [.. Enumerable.Range(1, 8).Select(static id => new Part(id, "iden", []))],
            [.. Enumerable.Range(1, 7).Select(static id => ("dimg", id, Enumerable.Repeat(id + 1, 20).ToArray()))]);
        Assert.Contains("of CPU time; at most 3 s", Inspect(image).Refusal!, StringComparison.Ordinal);
    }

    [Fact]
    public void The_canvas_of_a_grid_counts_with_the_size_in_its_own_header()
    {
        Part tile = new(2, "av01", Small, 2000, 2000, SmallConfig);
        byte[] image = AvifFile.Of([new Part(1, "grid", AvifFile.GridHeader(50_000, 2000, 25), 1, 1), tile], [("dimg", 1, [.. Enumerable.Repeat(2, 25)])]);
        Assert.NotNull(Inspect(image).Refusal);
        Assert.InRange(Inspect(image).Cost.Bytes, 50_000.0 * 2000 * 4, double.MaxValue);
    }

    [Fact]
    public void Items_that_share_their_bytes_are_walked_up_to_twice_the_length_of_the_file()
    {
        byte[] image = AvifFile.SharedRun(60_000, 200_000, isReferred: true);
        byte[] unreferred = AvifFile.SharedRun(60_000, 200_000, isReferred: false);
        string? refusal = null;

        double seconds = MachineSpeed.SecondsOf(() =>
        {
            refusal = Inspect(image).Refusal;
            Av1Levels.Replace(unreferred);
        });

        Assert.Equal("the image has coded images in pieces that overlap; such an image is not decoded", refusal);
        Assert.InRange(seconds, 0, 1);
    }

    [Fact]
    public void Large_metadata_of_an_avif_is_not_loaded_into_memory()
    {
        // All items share the bytes of the picture, which a long unit follows.
        byte[] image = AvifFile.Of(
            [Cheap(1) with { Data = [.. Small, .. Padding(2_000_000)] }, .. Enumerable.Range(2, 31).Select(static id => new Part(id, "Exif", new byte[2_000_000]))],
            [.. Enumerable.Range(2, 31).Select(static id => ("cdsc", id, Primary))],
            isShared: true);
        Assert.Null(Inspect(image).Refusal);
        GC.Collect();
        File.WriteAllText("/proc/self/clear_refs", "5");
        long before = Environment.WorkingSet;

        byte[] thumbnail = Make(image);

        using var process = Process.GetCurrentProcess();
        Assert.NotEmpty(thumbnail);
        Assert.InRange(process.PeakWorkingSet64 - before, long.MinValue, 64 << 20);

        // A padding unit.
        static byte[] Padding(int length)
        {
            int content = length - 4;
            return [0x7A, (byte)(content & 0x7F | 0x80), (byte)(content >> 7 & 0x7F | 0x80), (byte)(content >> 14), .. new byte[content - 1], 0x80];
        }
    }

    [Fact]
    public void Tables_of_items_after_the_first_are_hidden_from_the_decoder()
    {
        byte[] image = AvifFile.Of([Cheap(1)], []);
        byte[] other = AvifFile.Of([Expensive(1)], []);
        int at = other.AsSpan().IndexOf("meta"u8) - 4;
        byte[] both = [.. image, .. other[at..], .. AvifFile.Box("mini", new byte[64])];
        InspectedImage inspected = Inspect(both);
        Assert.Null(inspected.Refusal);
        ReadOnlySpan<byte> needed = inspected.ReadNeeded().Span;
        Assert.Equal(1, needed.Count("meta"u8));
        Assert.Equal(0, needed.Count("mini"u8));
    }

    private static InspectedImage Inspect(byte[] image) => InspectedImage.Inspect(image, ImageKind.Avif, DecodeLimits.Default);

    private static byte[] Make(byte[] image) => Thumbnailer.Make(image, new ThumbnailSpec(16), TestContext.Current.CancellationToken);
}
