using PoolApi.Requests;

namespace PoolApi.Settings;

/// <summary>Every documented setting of the host, of Kestrel, of logging and of OpenTelemetry, with what the service does with it.</summary>
/// <remarks>
/// A setting is used, refused, or of another program. A refused setting, a wrong value and an unknown key of these sections stop the start.
/// </remarks>
internal static class FrameworkSettings
{
    // Environment variables of these families configure the OpenTelemetry SDK. Other OTEL_ names belong to other programs.
    private static readonly string[] Families =
    [
        "OTEL_ATTRIBUTE_", "OTEL_BLRP_", "OTEL_BSP_", "OTEL_CONFIG_", "OTEL_DOTNET_", "OTEL_EVENT_", "OTEL_EXPERIMENTAL_", "OTEL_EXPORTER_",
        "OTEL_LINK_", "OTEL_LOG_", "OTEL_LOGRECORD_", "OTEL_LOGS_", "OTEL_METRIC_", "OTEL_METRICS_", "OTEL_PROPAGATORS", "OTEL_SDK_",
        "OTEL_SEMCONV_", "OTEL_SERVICE_", "OTEL_SPAN_", "OTEL_TRACES_",
    ];

    private const int MaxLength = 128; // of a key that is compared with the known ones

    private static readonly string[] Sections = ["AllowedHosts", "ForwardedHeaders", "HostBuilder", "HTTP_PORTS", "Kestrel", "Logging", "PathBase"];

    // The framework reads the values of these by itself, and fails at an empty one.
    private static readonly string[] ReadByFramework = ["HostBuilder", "Kestrel", "Logging"];

    public static IReadOnlyList<FrameworkSetting> All { get; } =
        [.. HostSettings.All, .. KestrelSettings.All, .. LoggingSettings.All, .. OpenTelemetrySettings.All];

    // Each start looks up every variable of the environment.
    private static readonly ILookup<char, FrameworkSetting> ByInitial = All.ToLookup(static setting => char.ToUpperInvariant(setting.Key[0]));

    /// <summary>The value of a used setting; <see langword="null"/> if it is not set, or wrong.</summary>
    public static string? Value(IConfiguration configuration, string key) =>
        configuration[key] is { Length: > 0 } text && Find(key) is { } setting && setting.Rule.Accepts(text) ? text : null;

    /// <summary>Adds a fault for each key that would have no effect, or not the one that its user expects.</summary>
    public static void Validate(IConfiguration configuration, List<string> faults)
    {
        foreach ((string key, string? value) in configuration.AsEnumerable().OrderBy(static pair => pair.Key, StringComparer.OrdinalIgnoreCase))
        {
            FrameworkSetting? setting = Find(key);
            // A section has no value. An empty one counts as not set, except where the framework would try to read it.
            if (value is null || (value.Length == 0 && !(setting?.Use == SettingUse.Used && IsIn(ReadByFramework, key)))) continue;
            if (setting is not null) Validate(setting, key, value, faults);
            else if (IsIn(Sections, key) || IsInFamily(key)) faults.Add(Unknown(key));
        }
        OpenTelemetrySettings.ValidateCombinations(configuration, faults);
    }

    private static FrameworkSetting? Find(string key) =>
        key.Length == 0 ? null : ByInitial[char.ToUpperInvariant(key[0])].FirstOrDefault(setting => setting.Covers(key));

    private static void Validate(FrameworkSetting setting, string key, string value, List<string> faults)
    {
        if (setting.Use == SettingUse.Refused) faults.Add($"{key} is not used here: {setting.Text}.");
        if (setting.Use == SettingUse.Used && !setting.Rule.Accepts(value))
            faults.Add($"{key} is {(setting.IsSecret ? "not understood (it is not repeated here)" : $"'{value}'")}; it must be {setting.Rule.Allowed}.");
    }

    private static string Unknown(string key)
    {
        string? near = NearestName.Of(key, All.Where(static setting => setting.Use == SettingUse.Used).Select(static setting => setting.Key), MaxLength);
        return $"{key} is not a setting. {(near is null ? "docs/settings.md has the list." : $"Did you mean {near}?")}";
    }

    private static bool IsIn(string[] sections, string key) => sections.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase);

    private static bool IsInFamily(string key) => Families.Any(family => key.StartsWith(family, StringComparison.OrdinalIgnoreCase));
}
