using PoolApi.AspNetCore.Settings;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Auth;
using PoolApi.Cors;
using PoolApi.Diagnostics;
using PoolApi.JobSetup;
using PoolApi.Management;
using PoolApi.Thumbnails;

namespace PoolApi;

/// <summary>Every setting of the service itself, in the order in which <c>--help</c> and docs/settings.md list them.</summary>
internal static class SettingCatalogue
{
    /// <summary>The sections that belong to the service alone.</summary>
    public static readonly IReadOnlyList<SettingSection> Sections =
    [
        ManagementSettings.Section,
        new("Pool", [PoolSettings.Name, .. PoolSettings.All]),
        new("Shutdown", ShutdownSettings.All),
        AuthSettings.Section,
        CorsSettings.Section,
        JobSettings.Section,
        DashboardSettings.Section,
        ThumbnailSettings.Section,
        WorkloadSettings.Section,
    ];

    /// <summary>Every setting with its full key.</summary>
    public static IEnumerable<(string Key, Setting Setting)> All =>
        Sections.SelectMany(static section => section.Settings.Select(setting => ($"{section.Name}:{setting.Key}", setting)))
            .Prepend((ManagementSettings.ApiUrls.Key, ManagementSettings.ApiUrls));
}
