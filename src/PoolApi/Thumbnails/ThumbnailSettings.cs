using PoolApi.AspNetCore.Settings;
using PoolApi.Thumbnails.Inspection;

namespace PoolApi.Thumbnails;

/// <summary>What decoding an image may cost: the section <c>Thumbnails</c>.</summary>
internal static class ThumbnailSettings
{
    private const int MaxMegabytes = 65536;

    public static DecodeLimits Read(IConfiguration configuration, List<string> faults)
    {
        var reader = new SettingsReader(configuration.GetSection("Thumbnails"), faults);
        DecodeLimits defaults = DecodeLimits.Default;
        var limits = new DecodeLimits
        {
            MaxTime = reader.Time("MaxDecodeTime", defaults.MaxTime, TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1)),
            MaxMegabytes = (int)reader.WholeNumber("MaxDecodeMegabytes", defaults.MaxMegabytes, 16, MaxMegabytes),
        };
        reader.RejectUnknownKeys();
        return limits;
    }
}
