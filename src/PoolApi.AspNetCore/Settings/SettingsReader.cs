using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace PoolApi.AspNetCore.Settings;

/// <summary>
/// Reads the settings of one configuration section and collects everything that is wrong with them, each fault with the
/// key, the value and what it may be, so that all can be reported at once. Not thread-safe; made for one reading.
/// </summary>
/// <remarks>The framework's binder stops at the first value it cannot convert, and says nothing of keys it does not know.</remarks>
public sealed class SettingsReader
{
    private readonly IConfigurationSection _section;
    private readonly List<string> _faults;
    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes a reader for a section.</summary>
    /// <param name="section">The section.</param>
    /// <param name="faults">Where the faults go.</param>
    public SettingsReader(IConfigurationSection section, List<string> faults)
    {
        ArgumentNullException.ThrowIfNull(section);
        ArgumentNullException.ThrowIfNull(faults);
        _section = section;
        _faults = faults;
    }

    /// <summary>Reads a whole number.</summary>
    /// <param name="key">The key within the section.</param>
    /// <param name="fallback">What it is when it is not set, or wrong.</param>
    /// <param name="min">The smallest it may be.</param>
    /// <param name="max">The largest it may be.</param>
    /// <param name="unset">What it is when it is not set, in words for a fault; where that is not a plain number.</param>
    public long WholeNumber(string key, long fallback, long min, long max, string? unset = null) => Read(
        key,
        fallback,
        text => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            && value >= min && value <= max ? value : null,
        $"a whole number from {min} to {max}{(unset is null ? "" : $"; not set, it is {unset}")}");

    /// <summary>Reads a time as <c>[d.]hh:mm:ss[.fff]</c>.</summary>
    /// <param name="key">The key within the section.</param>
    /// <param name="fallback">What it is when it is not set, or wrong.</param>
    /// <param name="min">The shortest it may be.</param>
    /// <param name="max">The longest it may be.</param>
    /// <param name="orInfinite">Whether it may be <see cref="Timeout.InfiniteTimeSpan"/> too, written <c>-00:00:00.0010000</c>.</param>
    public TimeSpan Time(string key, TimeSpan fallback, TimeSpan min, TimeSpan max, bool orInfinite = false) => Read(
        key,
        fallback,
        // "5" alone would be five days: nobody means that, so a colon is asked for.
        text => text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan value)
            && ((value >= min && value <= max) || (orInfinite && value == Timeout.InfiniteTimeSpan)) ? value : null,
        $"a time from {min:c} to {max:c}, written [d.]hh:mm:ss[.fff]{(orInfinite ? $", or {Timeout.InfiniteTimeSpan:c} for never" : "")}");

    /// <summary>Reads <c>true</c> or <c>false</c>.</summary>
    /// <param name="key">The key within the section.</param>
    /// <param name="fallback">What it is when it is not set, or wrong.</param>
    public bool Boolean(string key, bool fallback) =>
        Read(key, fallback, static text => bool.TryParse(text, out bool value) ? value : null, "true or false");

    /// <summary>Reads a text that a rule allows.</summary>
    /// <param name="key">The key within the section.</param>
    /// <param name="fallback">What it is when it is not set, or wrong.</param>
    /// <param name="isAllowed">The rule.</param>
    /// <param name="allowed">The rule in words, to follow "it may be".</param>
    public string Text(string key, string fallback, Func<string, bool> isAllowed, string allowed)
    {
        ArgumentNullException.ThrowIfNull(isAllowed);
        if (Find(key, allowed) is not { } text) return fallback;
        if (isAllowed(text)) return text;
        Fault(key, text, allowed);
        return fallback;
    }

    /// <summary>A key that somebody else reads and judges.</summary>
    /// <param name="key">The key within the section.</param>
    public void Known(string key) => _known.Add(key);

    /// <summary>Call last: every key of the section that was not read is a fault.</summary>
    /// <param name="secret">Whether the values may be secrets, which a fault must not repeat.</param>
    public void RejectUnknownKeys(bool secret = false)
    {
        if (_section.Value is { Length: > 0 } text)
            _faults.Add($"{_section.Path} is {(secret ? "a value" : $"'{text}'")}; it may be a section, with settings under it.");
        string known = _known.Count == 0 ? "there are none in this version" : string.Join(", ", _known.Order(StringComparer.Ordinal));
        foreach (IConfigurationSection child in _section.GetChildren())
        {
            if (_known.Contains(child.Key)) continue;
            string value = secret || child.Value is null ? "" : $" (Its value is '{child.Value}'.)";
            _faults.Add($"{child.Path} is not a setting; the settings under {_section.Path} are: {known}.{value}");
        }
    }

    private T Read<T>(string key, T fallback, Func<string, T?> parse, string allowed)
        where T : struct
    {
        if (Find(key, allowed) is not { } text) return fallback;
        if (parse(text) is { } value) return value;
        Fault(key, text, allowed);
        return fallback;
    }

    /// <summary>The key's value, unless there is none. A list or an object in its place is a fault.</summary>
    private string? Find(string key, string allowed)
    {
        _known.Add(key);
        if (!_section.GetSection(key).GetChildren().Any()) return _section[key];
        _faults.Add($"{_section.Path}:{key} has settings under it; it may be {allowed}.");
        return null;
    }

    private void Fault(string key, string value, string allowed) => _faults.Add($"{_section.Path}:{key} is '{value}'; it may be {allowed}.");
}
