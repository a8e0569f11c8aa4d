using PoolApi.AspNetCore.Settings;

namespace PoolApi.Management;

/// <summary>Where the service listens, and for which hosts its management routes answer: <c>Urls</c> and the section <c>Management</c>.</summary>
internal static class ManagementSettings
{
    public const string Addresses = "one or more addresses http://host:port, separated by ';'";
    public const string ApiAddresses = "one or more addresses http://host:port or https://host:port, separated by ';'";

    public static readonly Setting Urls = Setting.Special(
        "Urls", Addresses,
        "where the management routes listen; the same value as `Urls` means one port for both").WithDefault(ServerUrls.DefaultManagement);

    public static readonly SettingSection Section = new("Management", [Urls, ManagementHosts.Setting]);

    /// <summary>The one setting of the service outside of a section.</summary>
    public static readonly Setting ApiUrls = Setting.Special(
        ServerUrls.ApiKey, ApiAddresses,
        "where the API listens. `*`, `+`, `0.0.0.0` and `[::]` mean every interface, `localhost` both loopbacks; any other name is resolved at the start, and all its addresses are bound")
        .WithDefault(ServerUrls.DefaultApi);

    /// <summary>Reads the section.</summary>
    public static ManagementHosts Read(IConfiguration configuration, ServerUrls urls, List<string> faults)
    {
        var reader = new SettingsReader(configuration.GetSection(Section.Name), faults);
        reader.Known(Urls); // ServerUrls reads it
        var hosts = ManagementHosts.Read(reader, urls);
        reader.RejectUnknownKeys();
        return hosts;
    }
}
