using System.Globalization;

namespace PoolApi.Tests.JobRoutes;

/// <summary>Times in the format of RFC 3339: parsing and writing.</summary>
public class Rfc3339Tests
{
    [Theory]
    [InlineData("2030-01-31T08:09:10Z", "2030-01-31T08:09:10.0000000Z")]
    [InlineData("2030-01-31t08:09:10z", "2030-01-31T08:09:10.0000000Z")]
    [InlineData("2030-01-31T08:09:10.5+02:00", "2030-01-31T06:09:10.5000000Z")]
    [InlineData("2030-01-31T08:09:10.123456789-05:30", "2030-01-31T13:39:10.1234567Z")]
    [InlineData("2030-01-31T08:09:10 02:00", "2030-01-31T06:09:10.0000000Z")]
    [InlineData("2030-01-31T08:09:10-00:00", "2030-01-31T08:09:10.0000000Z")]
    public void A_time_with_its_offset_is_read(string text, string expected)
    {
        Assert.True(Rfc3339.TryParse(text, out DateTimeOffset time));
        Assert.Equal(expected, time.UtcDateTime.ToString("o", CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Z")]
    [InlineData("2030-01-31")]
    [InlineData("2030-01-31T08:09:10")]
    [InlineData("2030-01-31T08:09Z")]
    [InlineData("2030-01-31 08:09:10Z")]
    [InlineData("2030-02-30T08:09:10Z")]
    [InlineData("2030-01-31T25:09:10Z")]
    [InlineData("2030-01-31T08:09:10.Z")]
    [InlineData("2030-01-31T08:09:10,5Z")]
    [InlineData("2030-01-31T08:09:10.5xZ")]
    [InlineData("2030-01-31T08:09:10+2:00")]
    [InlineData("2030-01-31T08:09:10+0200")]
    [InlineData("2030-01-31T08:09:10+15:00")]
    [InlineData("2030-01-31T08:09:10Z ")]
    [InlineData("0001-01-01T00:00:00+14:00")]
    [InlineData("1900000000")]
    public void An_invalid_time_is_rejected(string text) => Assert.False(Rfc3339.TryParse(text, out _));

    [Fact]
    public void A_time_is_written_in_utc_to_the_millisecond() => Assert.Equal(
        "2030-01-31T06:09:10.123Z",
        Rfc3339.ToText(new DateTimeOffset(2030, 1, 31, 8, 9, 10, 123, 999, TimeSpan.FromHours(2))));
}
