using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

/// <summary>The Accept header of a client, and the format that it gets (RFC 9110, 12.5.1).</summary>
public class FormatNegotiationTests
{
    [Theory]
    // Without a preference for a format: the default.
    [InlineData("", ThumbnailFormat.Webp)]
    [InlineData("*/*", ThumbnailFormat.Webp)]
    [InlineData("image/*", ThumbnailFormat.Webp)]
    [InlineData("application/json", ThumbnailFormat.Webp)]
    [InlineData("application/json, text/plain, */*", ThumbnailFormat.Webp)]
    [InlineData("application/problem+json, text/html;q=0.1", ThumbnailFormat.Webp)]
    [InlineData("nonsense", ThumbnailFormat.Webp)]
    // A format that is named.
    [InlineData("image/jpeg", ThumbnailFormat.Jpeg)]
    [InlineData("IMAGE/Avif", ThumbnailFormat.Avif)]
    [InlineData("image/jpg", ThumbnailFormat.Jpeg)]
    [InlineData("image/png, */*", ThumbnailFormat.Png)]
    [InlineData("*/*, image/png", ThumbnailFormat.Png)]
    [InlineData("image/heic, image/png", ThumbnailFormat.Png)]
    [InlineData("image/avif;q=0.001", ThumbnailFormat.Avif)]
    // The quality decides, and among equals the client's order.
    [InlineData("image/avif, image/webp", ThumbnailFormat.Avif)]
    [InlineData("image/webp, image/avif", ThumbnailFormat.Webp)]
    [InlineData("image/avif;q=0.8, image/webp;q=0.9", ThumbnailFormat.Webp)]
    [InlineData("image/avif; q=0.8 , image/png;q=0.85,image/*;q=0.2", ThumbnailFormat.Png)]
    [InlineData("image/png;q=0.5, image/*", ThumbnailFormat.Webp)]
    // The most specific range decides, at any position.
    [InlineData("image/webp;q=0.1, image/*;q=0.9", ThumbnailFormat.Jpeg)]
    [InlineData("*/*;q=0.9, image/webp;q=0.1, image/jpeg;q=0.1", ThumbnailFormat.Png)]
    [InlineData("image/webp;q=0, */*", ThumbnailFormat.Jpeg)]
    [InlineData("image/*;q=0, image/png, */*", ThumbnailFormat.Png)]
    [InlineData("*/*;q=0, image/avif;q=0.1", ThumbnailFormat.Avif)]
    // A type with a parameter is another type, and a type that cannot be parsed is skipped.
    [InlineData("image/avif;level=9, image/png;q=0.1", ThumbnailFormat.Png)]
    [InlineData("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", ThumbnailFormat.Jpeg)] // Java
    // Browsers, for pages and for images.
    [InlineData("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", ThumbnailFormat.Avif)] // Chromium
    [InlineData("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8", ThumbnailFormat.Avif)]
    [InlineData("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", ThumbnailFormat.Avif)] // Firefox
    [InlineData("image/webp,image/avif,image/jxl,image/heic,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", ThumbnailFormat.Webp)] // Safari
    [InlineData("image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5", ThumbnailFormat.Png)]
    public void The_Accept_header_decides_the_format(string accept, ThumbnailFormat expected) => Assert.Equal(expected, Choose(accept));

    [Theory]
    [InlineData("image/heic")]
    [InlineData("image/gif, image/bmp, application/json")]
    [InlineData("image/webp;q=0")] // formats that are not listed are not accepted either
    [InlineData("image/*;q=0")]
    [InlineData("*/*;q=0.0")]
    [InlineData("image/webp;q=0, image/jpeg;q=0, image/png;q=0, image/avif;q=0, */*")]
    public void An_Accept_header_without_an_available_format_gets_none(string accept) => Assert.Null(Choose(accept));

    [Fact]
    public void Several_Accept_lines_are_read_as_one_list() =>
        Assert.Equal(ThumbnailFormat.Png, FormatNegotiation.Choose(new(["image/avif;q=0.1", "image/png"])));

    private static ThumbnailFormat? Choose(string accept) => FormatNegotiation.Choose(accept.Length == 0 ? default : new(accept));
}
