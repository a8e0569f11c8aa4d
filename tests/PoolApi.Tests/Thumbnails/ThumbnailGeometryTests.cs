using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

public class ThumbnailGeometryTests
{
    [Theory]
    [InlineData(5640, 3172, 320, null, 320, 180)]
    [InlineData(10, 10, 320, null, 320, 320)] // enlarges
    [InlineData(1000, 500, 100, 100, 100, 50)]
    [InlineData(500, 1000, 100, 100, 50, 100)]
    [InlineData(30000, 1, 320, null, 320, 1)] // at least one pixel
    [InlineData(1, 30000, 320, 320, 1, 320)]
    public void Inside_keeps_the_proportions(int width, int height, int maxWidth, int? maxHeight, int expectedWidth, int expectedHeight)
    {
        var plan = ThumbnailGeometry.Plan(width, height, sideways: false, new ThumbnailSpec(maxWidth, maxHeight));
        Assert.Equal((expectedWidth, expectedHeight), (plan.Width, plan.Height));
        Assert.Equal((expectedWidth, expectedHeight), (plan.WholeWidth, plan.WholeHeight));
    }

    [Theory]
    [InlineData(1000, 500, 100, 50, 100, 50)]
    [InlineData(1000, 500, 100, null, 200, 100)]
    [InlineData(500, 1000, 100, null, 100, 200)]
    [InlineData(500, 1000, 100, 50, 100, 200)]
    public void Cover_fills_the_exact_box_and_is_square_if_no_height_is_given(
        int width, int height, int boxWidth, int? boxHeight, int wholeWidth, int wholeHeight)
    {
        var plan = ThumbnailGeometry.Plan(width, height, false, new ThumbnailSpec(boxWidth, boxHeight, fit: ThumbnailFit.Cover));
        Assert.Equal((boxWidth, boxHeight ?? boxWidth), (plan.Width, plan.Height));
        Assert.Equal((wholeWidth, wholeHeight), (plan.WholeWidth, plan.WholeHeight));
        Assert.False(plan.CutsFirst);
    }

    [Fact]
    public void A_sliver_that_must_cover_a_square_is_cropped_before_it_is_enlarged()
    {
        var plan = ThumbnailGeometry.Plan(1, 30000, false, new ThumbnailSpec(4096, fit: ThumbnailFit.Cover));
        Assert.True(plan.CutsFirst);
        Assert.Equal((4096, 4096), (plan.WholeWidth, plan.WholeHeight));
        Assert.Equal((0, 14999, 1, 1), plan.Middle(1, 30000));
    }

    [Fact]
    public void An_image_on_its_side_is_planned_upright()
    {
        var plan = ThumbnailGeometry.Plan(1000, 500, sideways: true, new ThumbnailSpec(100));
        Assert.Equal((100, 200), (plan.Width, plan.Height));
    }

    [Theory]
    [InlineData(1, 30000, 320, "320 × 9600000 pixels; at most 16383")]
    [InlineData(1, 3, 4096, "50.3 megapixels; at most 33.6")]
    public void A_result_beyond_the_limits_is_refused(int width, int height, int boxWidth, string words)
    {
        var refused = Assert.Throws<UnprocessableImageException>(
            () => ThumbnailGeometry.Plan(width, height, false, new ThumbnailSpec(boxWidth)));
        Assert.Contains(words, refused.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(4097)]
    [InlineData(1_000_000_000)]
    public void A_thumbnail_side_must_be_from_1_to_4096(int side)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ThumbnailSpec(side));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ThumbnailSpec(1, side));
    }
}
