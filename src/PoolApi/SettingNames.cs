using PoolApi.Requests;

namespace PoolApi;

/// <summary>The names of all settings, to distinguish a misspelt setting from one of another program.</summary>
/// <remarks>The reader of a section refuses unknown keys in it. This class is about keys outside of every section.</remarks>
internal static class SettingNames
{
    /// <summary>The keys of each section of ours.</summary>
    private static readonly Dictionary<string, string[]> Sections = SettingCatalogue.Sections.ToDictionary(
        static section => section.Name, static section => section.Keys.ToArray(), StringComparer.OrdinalIgnoreCase);

    /// <summary>What the framework reads, beside OTEL_…</summary>
    private static readonly string[] Others =
    [
        "Urls", "Kestrel", "Logging", "AllowedHosts", "environment", "applicationName", "contentRoot", "webroot", "http_ports", "https_ports",
        "preferHostingUrls", "hostBuilder", "HostOptions", "shutdownTimeoutSeconds", "captureStartupErrors", "detailedErrors",
        "suppressStatusMessages", "hostingStartupAssemblies", "hostingStartupExcludeAssemblies", "preventHostingStartup", "startupAssembly",
        "forwardedHeaders_Enabled", "ForwardedHeaders", "PathBase",
    ];

    private static readonly string[] Full =
        [.. Sections.SelectMany(static section => section.Value.Select(key => $"{section.Key}:{key}"))];

    /// <summary>Each full key by its letters and digits alone.</summary>
    private static readonly Dictionary<string, string> ByLetters = Full.DistinctBy(WithoutSeparators).ToDictionary(WithoutSeparators);

    /// <summary>Whether the service or the framework reads the section, or the key, that a key of the command line begins with.</summary>
    public static bool IsKnown(string key)
    {
        string root = key.Split(':', 2)[0];
        return Sections.ContainsKey(root) || Others.Contains(root, StringComparer.OrdinalIgnoreCase)
            || root.StartsWith("OTEL_", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The setting that a misspelt one was meant to be.</summary>
    public static string? Nearest(string key) =>
        Array.Find(Full, full => full.EndsWith(":" + key, StringComparison.OrdinalIgnoreCase) || WithoutSeparators(full).Equals(WithoutSeparators(key), StringComparison.OrdinalIgnoreCase))
        ?? (key.Split(':', 2) is [var section, var rest] && NearestName.Of(section, Sections.Keys) is { } near ? $"{near}:{NearestName.Of(rest, Sections[near]) ?? rest}" : null)
        ?? NearestName.Of(key, [.. Full, .. Sections.Keys, .. Others]);

    /// <summary>Finds keys that are near one of ours and outside of its section, wherever they were set.</summary>
    /// <remarks>
    /// All programs share the environment, so two names must be near: that of a section, and that of a key of the same section. Or the whole key
    /// must match with the separators of another convention (<c>Pool_Workers</c>).
    /// </remarks>
    public static void FindMisspelt(IConfiguration configuration, List<string> faults)
    {
        foreach (IConfigurationSection root in configuration.GetChildren())
        {
            if (IsKnown(root.Key)) continue;
            string[] children = [.. root.GetChildren().Select(static child => child.Key)];
            if (children.Length > 0 && NearestName.Of(root.Key, Sections.Keys) is { } section)
            {
                foreach (string child in children)
                {
                    if (NearestName.Of(child, Sections[section]) is { } key)
                        faults.Add($"{root.Key}:{child} is not a setting. Did you mean {section}:{key}?");
                }
            }
            else if (root.Value is not null && ByLetters.TryGetValue(WithoutSeparators(root.Key), out string? full))
            {
                faults.Add($"{root.Key} is not a setting. Did you mean {full}? In the environment it is written {full.Replace(":", "__", StringComparison.Ordinal)}.");
            }
        }
    }

    private static string WithoutSeparators(string key) => string.Concat(key.Where(char.IsAsciiLetterOrDigit));
}
