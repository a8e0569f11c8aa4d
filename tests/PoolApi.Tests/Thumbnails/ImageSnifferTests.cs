using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

public class ImageSnifferTests
{
    [Theory]
    [InlineData("jpeg", ImageKind.Jpeg)]
    [InlineData("progressive-jpeg", ImageKind.Jpeg)]
    [InlineData("png", ImageKind.Png)]
    [InlineData("webp", ImageKind.Webp)]
    [InlineData("gif", ImageKind.Gif)]
    [InlineData("tiff", ImageKind.Tiff)]
    [InlineData("avif", ImageKind.Avif)]
    public void An_image_of_every_supported_format_is_recognised(string name, ImageKind expected)
    {
        Assert.True(ImageSniffer.TryRecognise(Samples.Encode(name, 16, 16), out var kind));
        Assert.Equal(expected, kind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("FF")]
    [InlineData("FFD8")]
    [InlineData("89504E470D0A1A")] // PNG's signature, one byte short
    [InlineData("524946460000000057415645")] // RIFF, but WAVE
    [InlineData("255044462D312E37")] // PDF
    [InlineData("3C73766720786D6C6E733D22")] // SVG
    [InlineData("424D000000000000")] // BMP
    [InlineData("0000001C66747970686569630000000068656963")] // HEIC: ftyp, but no AVIF brand
    [InlineData("FFFFFFFC667479706D696631000000006D696631")] // ftyp of an absurd length
    [InlineData("00000010667479706D6966310000000061766966")] // the brand is after the end of the box
    public void Data_of_another_format_is_not_recognised(string hex) =>
        Assert.False(ImageSniffer.TryRecognise(Convert.FromHexString(hex), out _));

    [Fact]
    public void An_avif_is_recognised_by_a_compatible_brand() =>
        Assert.True(ImageSniffer.TryRecognise(Convert.FromHexString("00000014667479706D6966310000000061766966"), out _));
}
