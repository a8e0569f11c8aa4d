using CsCheck;
using NetVips;
using PoolApi.Tests.Thumbnails.Containers;
using PoolApi.Thumbnails;
using PoolApi.Thumbnails.Jpeg;

namespace PoolApi.Tests.Thumbnails;

/// <summary>P9: a JPEG that lacks only its end marker is valid input; one that lacks a byte of its picture is not.</summary>
public sealed class JpegEndTests
{
    private static readonly ThumbnailSpec Spec = new(24, format: ThumbnailFormat.Png);

    private sealed record Form(int Width, int Height, int Bands, bool IsProgressive, bool IsOptimised, int RestartInterval, Enums.ForeignSubsample Subsampling, int Quality);

    private static readonly Gen<Form> Forms = Gen.Select(
        Gen.Int[1, 90], Gen.Int[1, 90], Gen.OneOf(Gen.Const(1), Gen.Const(3)), Gen.Bool, Gen.Bool, Gen.OneOf(Gen.Const(0), Gen.Const(1), Gen.Const(3)),
        Gen.OneOf(Gen.Const(Enums.ForeignSubsample.On), Gen.Const(Enums.ForeignSubsample.Off)), Gen.Int[20, 95],
        static (width, height, bands, progressive, optimised, restart, subsampling, quality) =>
            new Form(width, height, bands, progressive, optimised, restart, subsampling, quality));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A_jpeg_without_its_end_marker_gives_the_same_thumbnail() => Forms.Sample(static form =>
    {
        byte[] whole = Encode(form);
        Assert.Equal(Thumbnailer.Make(whole, Spec, Token), Thumbnailer.Make(whole.AsMemory(..^2), Spec, Token));
        Assert.Equal(Thumbnailer.Make(whole, Spec, Token), Thumbnailer.Make(whole.AsMemory(..^1), Spec, Token)); // half of the marker
    }, iter: 150);

    [Fact]
    public void A_jpeg_that_ends_before_its_last_pixel_is_refused() => Gen.Select(Forms, Gen.Int[1, 40]).Sample(static (form, cut) =>
    {
        byte[] whole = Encode(form);
        int scan = whole.AsSpan().IndexOf([(byte)0xFF, (byte)0xDA]) + 12;
        int kept = Math.Max(scan, whole.Length - 2 - cut);
        Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(whole.AsMemory(..kept), Spec, Token));
    }, iter: 150);

    [Fact]
    public void Reading_a_jpeg_with_many_Huffman_tables_allocates_at_most_10_MB()
    {
        const int TablesOfSegment = 3_854;
        var jpeg = new ByteWriter().U16(0xFFD8);
        byte[] empty = new byte[17 * TablesOfSegment];
        for (int segment = 0; segment < 64; segment++) jpeg.U16(0xFFC4).U16(2 + empty.Length).Raw(empty);
        byte[] image = jpeg.ToArray();
        long before = GC.GetAllocatedBytesForCurrentThread();

        JpegEnd.Complete(image, out bool isCompleted);

        Assert.False(isCompleted);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);
    }

    private static byte[] Encode(Form form)
    {
        using Image noise = Image.Gaussnoise(form.Width, form.Height, sigma: 40, mean: 128, seed: form.Width + (100 * form.Height));
        using Image grey = noise.Cast(Enums.BandFormat.Uchar);
        using Image picture = form.Bands == 1 ? grey.Copy(interpretation: Enums.Interpretation.Bw)
            : grey.Bandjoin([grey.Invert(), grey.Rot180()]).Copy(interpretation: Enums.Interpretation.Srgb);
        return picture.JpegsaveBuffer(
            q: form.Quality, interlace: form.IsProgressive, optimizeCoding: form.IsOptimised, subsampleMode: form.Subsampling,
            restartInterval: form.RestartInterval, keep: Enums.ForeignKeep.None);
    }
}
