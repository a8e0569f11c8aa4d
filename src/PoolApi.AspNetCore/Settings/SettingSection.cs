namespace PoolApi.AspNetCore.Settings;

/// <summary>The settings of one section of the configuration, in the order of the documentation.</summary>
/// <param name="Name">The section.</param>
/// <param name="Settings">Its settings.</param>
internal sealed record SettingSection(string Name, IReadOnlyList<Setting> Settings)
{
    /// <summary>The keys within the section, in alphabetical order.</summary>
    public IEnumerable<string> Keys => Settings.Select(static setting => setting.Key).Order(StringComparer.Ordinal);
}
