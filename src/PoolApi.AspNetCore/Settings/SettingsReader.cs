using Microsoft.Extensions.Configuration;

namespace PoolApi.AspNetCore.Settings;

/// <summary>
/// Reads the settings of one configuration section and collects all faults, each with the key, the value and the allowed values, so that the
/// start reports them together. An empty value counts as not set. Not thread-safe; used for one reading.
/// </summary>
/// <remarks>The framework's binder stops at the first value that it cannot convert, and ignores unknown keys.</remarks>
internal sealed class SettingsReader(IConfigurationSection section, List<string> faults)
{
    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads a setting.</summary>
    /// <param name="setting">Its declaration.</param>
    /// <param name="fallback">The value that is used when the setting is missing or malformed.</param>
    public T Read<T>(Setting<T> setting, T fallback)
        where T : struct
    {
        if (Find(setting) is not { } text) return fallback;
        if (setting.Parse(text) is { } value) return value;
        Fault(setting, text);
        return fallback;
    }

    /// <summary>Reads a whole number that fits into an <see cref="int"/>.</summary>
    /// <param name="setting">The declaration, with a range within that of <see cref="int"/>.</param>
    /// <param name="fallback">The value that is used when the setting is missing or malformed.</param>
    public int Read(Setting<long> setting, int fallback) => checked((int)Read(setting, (long)fallback));

    /// <summary>Reads a text.</summary>
    /// <param name="setting">Its declaration.</param>
    public string Read(TextSetting setting)
    {
        if (Find(setting) is not { } text) return setting.Fallback;
        if (setting.Accepts(text)) return text;
        Fault(setting, text);
        return setting.Fallback;
    }

    /// <summary>Marks the key of a setting that other code reads as known.</summary>
    /// <param name="setting">The declaration.</param>
    public void Known(Setting setting) => _known.Add(setting.Key);

    /// <summary>Reports every key of the section that was not read as a fault. Call it last.</summary>
    /// <param name="secret">Whether the values may be secrets, which a fault must not show.</param>
    public void RejectUnknownKeys(bool secret = false)
    {
        if (section.Value is { Length: > 0 } text)
            faults.Add($"{section.Path} is {(secret ? "a value" : $"'{text}'")}; it must be a section, with settings under it.");
        string known = string.Join(", ", _known.Order(StringComparer.Ordinal));
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (_known.Contains(child.Key)) continue;
            string value = secret || child.Value is null ? "" : $" (Its value is '{child.Value}'.)";
            faults.Add($"{child.Path} is not a setting; the settings under {section.Path} are: {known}.{value}");
        }
    }

    /// <summary>Finds the value of a key; <see langword="null"/> if there is none, or an empty one. A list or an object in its place is a fault.</summary>
    private string? Find(Setting setting)
    {
        _known.Add(setting.Key);
        IConfigurationSection child = section.GetSection(setting.Key);
        if (!child.GetChildren().Any()) return child.Value is { Length: > 0 } text ? text : null;
        faults.Add($"{child.Path} has settings under it; it must be {Allowed(setting)}.");
        return null;
    }

    private void Fault(Setting setting, string value) => faults.Add($"{section.Path}:{setting.Key} is '{value}'; it must be {Allowed(setting)}.");

    private static string Allowed(Setting setting) => setting.IsDefaultInFaults ? $"{setting.Allowed}; not set, it is {setting.Default}" : setting.Allowed;
}
