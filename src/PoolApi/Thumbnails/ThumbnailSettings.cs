using PoolApi.AspNetCore.Settings;
using PoolApi.Thumbnails.Inspection;

namespace PoolApi.Thumbnails;

/// <summary>The limits of decoding: the section <c>Thumbnails</c>.</summary>
internal static class ThumbnailSettings
{
    private static readonly DecodeLimits Defaults = DecodeLimits.Default;

    private static readonly Setting<TimeSpan> MaxDecodeTime = Setting.Time(
        "MaxDecodeTime", Defaults.MaxTime, TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1),
        "the CPU time that decoding one image may take, estimated from its container");

    private static readonly Setting<long> MaxDecodeMegabytes = Setting.WholeNumber(
        "MaxDecodeMegabytes", Defaults.MaxMegabytes, 16, 65536, "the memory in MiB that decoding one image may take, the image itself included, estimated from its container");

    public static readonly SettingSection Section = new("Thumbnails", [MaxDecodeTime, MaxDecodeMegabytes]);

    public static DecodeLimits Read(IConfiguration configuration, List<string> faults)
    {
        var reader = new SettingsReader(configuration.GetSection(Section.Name), faults);
        var limits = new DecodeLimits
        {
            MaxTime = reader.Read(MaxDecodeTime, Defaults.MaxTime),
            MaxMegabytes = reader.Read(MaxDecodeMegabytes, Defaults.MaxMegabytes),
        };
        reader.RejectUnknownKeys();
        return limits;
    }
}
