using System.Text;

namespace PoolApi.EndToEnd.Api;

/// <summary>A thumbnail has the right format and size, is upright, and contains no metadata of the original image.</summary>
public sealed class ThumbnailTests(SharedServices services)
{
    private static readonly byte[] Wide = Png.Gradient(400, 200);

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_JPEG_of_16_MB_becomes_a_WebP_320_pixels_wide(ServiceForm form)
    {
        byte[] photo = await Photos.LargeAsync();
        Assert.InRange(photo.Length, 16_000_000, 17_000_000);
        var service = await services.InAsync(form);

        var answer = (await service.Api.PostImageAsync("/v1/thumbnails?width=320", photo)).MustBe(200);

        Assert.Equal("image/webp", answer.MediaType);
        Assert.Equal(new ImageHeader("webp", 320, 180), ImageHeader.Read(answer.Body));
    }

    [Theory]
    [InlineData("webp", ServiceForm.FrameworkDependent)]
    [InlineData("jpeg", ServiceForm.FrameworkDependent)]
    [InlineData("png", ServiceForm.FrameworkDependent)]
    [InlineData("avif", ServiceForm.FrameworkDependent)]
    [InlineData("webp", ServiceForm.NativeAot)]
    [InlineData("jpeg", ServiceForm.NativeAot)]
    [InlineData("png", ServiceForm.NativeAot)]
    [InlineData("avif", ServiceForm.NativeAot)]
    public async Task Every_promised_format_is_delivered(string format, ServiceForm form)
    {
        var service = await services.InAsync(form);

        var answer = (await service.Api.PostPngAsync($"/v1/thumbnails?width=100&format={format}", Wide)).MustBe(200);

        Assert.Equal("image/" + format, answer.MediaType);
        Assert.Equal(new ImageHeader(format, 100, 50), ImageHeader.Read(answer.Body));
    }

    [Fact]
    public async Task Inside_keeps_the_proportions_within_both_sides()
    {
        var service = await services.InAsync(ServiceForm.Any);

        var answer = (await service.Api.PostPngAsync("/v1/thumbnails?width=100&height=20&fit=inside&format=png", Wide)).MustBe(200);

        Assert.Equal(new ImageHeader("png", 40, 20), ImageHeader.Read(answer.Body));
    }

    [Fact]
    public async Task Cover_fills_both_sides()
    {
        var service = await services.InAsync(ServiceForm.Any);

        var answer = (await service.Api.PostPngAsync("/v1/thumbnails?width=60&height=80&fit=cover&format=png", Wide)).MustBe(200);

        Assert.Equal(new ImageHeader("png", 60, 80), ImageHeader.Read(answer.Body));
    }

    [Theory]
    [InlineData("jpeg")]
    [InlineData("webp")]
    [InlineData("png")]
    [InlineData("avif")]
    public async Task The_EXIF_orientation_is_honoured_and_the_metadata_is_dropped(string format)
    {
        const string Private = "taken at 48.8584 N 2.2945 E by Jane";
        var service = await services.InAsync(ServiceForm.Any);
        byte[] jpeg = (await service.Api.PostPngAsync("/v1/thumbnails?width=200&format=jpeg", Wide)).MustBe(200).Body;
        byte[] lyingOnItsSide = Exif.Add(jpeg, orientation: 6, Private);

        var answer = (await service.Api.PostImageAsync($"/v1/thumbnails?width=50&format={format}", lyingOnItsSide)).MustBe(200);

        Assert.Equal(new ImageHeader(format, 50, 100), ImageHeader.Read(answer.Body));
        Assert.True(answer.Body.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Private)) < 0, "the thumbnail contains the description");
        Assert.True(answer.Body.AsSpan().IndexOf("Exif\0\0"u8) < 0, "the thumbnail contains an EXIF segment");
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task Server_Timing_reports_the_queue_time_the_run_time_and_the_worker(ServiceForm form)
    {
        var service = await services.InAsync(form);

        var answer = (await service.Api.PostPngAsync("/v1/thumbnails?width=10", Png.Gradient(40, 40))).MustBe(200);

        ServerTiming.MustBeComplete(answer, "cpu", workers: 2);
    }

    [Fact]
    public async Task A_large_image_is_decoded_without_a_temporary_file()
    {
        // More than 100 MiB once decoded, which libvips would put into a file by default.
        var environment = new Dictionary<string, string> { ["TMPDIR"] = "/nonexistent" };
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, onePort: false, environment, "--Jobs:Store none", "--Thumbnails:MaxDecodeMegabytes 600", "--Thumbnails:MaxDecodeTime 00:00:10");

        foreach (byte[] image in new[] { Png.Interlaced(6000, 6000), Webp.Lossless(4096, 7000) })
        {
            // As wide as the WebP is, so that it is not shrunk while it is decoded.
            var answer = (await service.Api.PostImageAsync("/v1/thumbnails?width=4096&height=16&fit=cover&format=jpeg", image)).MustBe(200);
            Assert.Equal(new ImageHeader("jpeg", 4096, 16), ImageHeader.Read(answer.Body));
        }
    }
}
