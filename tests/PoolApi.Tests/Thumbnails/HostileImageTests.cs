using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;
using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

/// <summary>These tests measure the memory of the whole process, so no other test may run beside them.</summary>
[CollectionDefinition(nameof(HostileImageTests), DisableParallelization = true)]
public class HostileImages;

[Collection(nameof(HostileImageTests))]
[Trait("Category", "Slow")]
public class HostileImageTests
{
    private const int MiB = 1 << 20;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_png_of_50000_by_50000_is_refused_by_its_header(bool interlaced)
    {
        var bomb = Png(50_000, 50_000, interlaced, pixels: new byte[2_000_000]);
        Assert.InRange(bomb.Length, 1, 4096);
        Thumbnailer.Make(Samples.Encode("png", 8, 8), new ThumbnailSpec(8), Token);

        var before = Process.GetCurrentProcess().WorkingSet64;
        ForgetPeak();
        var refused = Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(bomb, new ThumbnailSpec(320), Token));

        Assert.Equal("the image has 2500 megapixels; at most 100 are accepted", refused.Reason);
        Assert.InRange(Process.GetCurrentProcess().PeakWorkingSet64 - before, long.MinValue, 32 * MiB);
    }

    [Fact]
    public void An_image_that_would_need_too_much_memory_once_decoded_is_refused_by_its_header()
    {
        // Within the limit of pixels, with eight bytes for each pixel.
        var bomb = Png(8_300, 8_300, interlaced: false, pixels: new byte[1000], bits: 16, colourType: 6);

        var refused = Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(bomb, new ThumbnailSpec(320), Token));

        Assert.Equal("the image takes 526 MiB once decoded; at most 512 are accepted", refused.Reason);
    }

    [Fact]
    public void A_png_at_the_pixel_limit_is_accepted_and_one_line_more_is_refused()
    {
        var refused = Assert.Throws<UnprocessableImageException>(
            () => Thumbnailer.Make(Png(10_000, 10_001, false, []), new ThumbnailSpec(16), Token));
        Assert.Contains("megapixels", refused.Reason, StringComparison.Ordinal);

        // 10000 lines of a filter byte and 10000 grey pixels.
        Assert.NotEmpty(Thumbnailer.Make(Png(10_000, 10_000, false, new byte[10_001 * 10_000]), new ThumbnailSpec(16), Token));
    }

    [Fact]
    public void Memory_does_not_grow_over_many_thumbnails()
    {
        var good = Samples.Encode("jpeg", 400, 300);
        var bad = good[..(good.Length / 2)];
        Run(30);
        var before = Settled();

        Run(300);

        Assert.InRange(Settled() - before, long.MinValue, 48 * MiB);

        void Run(int times)
        {
            for (var run = 0; run < times; run++)
            {
                Thumbnailer.Make(good, new ThumbnailSpec(160), Token);
                Assert.Throws<UnprocessableImageException>(() => Thumbnailer.Make(bad, new ThumbnailSpec(160), Token));
            }
        }

        static long Settled()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            return Process.GetCurrentProcess().WorkingSet64;
        }
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Linux: resets the peak of the resident memory to its current value.
    private static void ForgetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    // A PNG, by default 8-bit grey. Its header need not match its pixels; its checksums are right.
    private static byte[] Png(int width, int height, bool interlaced, byte[] pixels, byte bits = 8, byte colourType = 0)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = bits;
        header[9] = colourType;
        header[12] = interlaced ? (byte)1 : (byte)0;

        using var png = new MemoryStream();
        png.Write([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]);
        Chunk(png, "IHDR"u8, header);
        Chunk(png, "IDAT"u8, Deflate(pixels));
        Chunk(png, "IEND"u8, []);
        return png.ToArray();
    }

    private static byte[] Deflate(byte[] data)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal))
        {
            zlib.Write(data);
        }

        return packed.ToArray();
    }

    private static void Chunk(MemoryStream png, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(type);
        png.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32([.. type, .. data]));
        png.Write(number);
    }

    private static uint Crc32(byte[] data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0xEDB88320;
            }
        }

        return ~crc;
    }
}
