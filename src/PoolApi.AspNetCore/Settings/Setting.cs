using System.Globalization;

namespace PoolApi.AspNetCore.Settings;

/// <summary>
/// The single declaration of a setting: its key, default, allowed values and description. It is used to parse the configuration, to word the
/// faults, to validate values that code sets, and to generate <c>--help</c> and the documentation. Immutable.
/// </summary>
internal abstract class Setting
{
    private protected Setting(string key, string allowed, string text)
    {
        Key = key;
        Allowed = allowed;
        Text = text;
    }

    /// <summary>The key within its section.</summary>
    public string Key { get; }

    /// <summary>The default, in words.</summary>
    public string Default { get; init; } = "none";

    /// <summary>The allowed values in words, to follow "it must be".</summary>
    public string Allowed { get; }

    /// <summary>The description: what the setting does.</summary>
    public string Text { get; }

    /// <summary>Whether a fault names the default, because the machine or another setting determines it.</summary>
    public bool IsDefaultInFaults { get; init; }

    /// <summary>A whole number.</summary>
    public static Setting<long> WholeNumber(string key, long fallback, long min, long max, string text) => new(
        key,
        $"a whole number from {min} to {max}",
        text,
        value => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : null,
        number => number >= min && number <= max)
    {
        Default = fallback.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>A decimal fraction.</summary>
    public static Setting<double> Fraction(string key, double fallback, double min, double max, string text) => new(
        key,
        string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}, such as {fallback}"),
        text,
        value => double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) ? number : null,
        number => number >= min && number <= max)
    {
        Default = fallback.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>A time, written <c>[d.]hh:mm:ss[.fff]</c>; <see cref="Timeout.InfiniteTimeSpan"/>, where it is allowed, <c>-00:00:00.0010000</c>.</summary>
    public static Setting<TimeSpan> Time(string key, TimeSpan fallback, TimeSpan min, TimeSpan max, string text, bool orInfinite = false) => new(
        key,
        $"a time from {min:c} to {max:c}, written [d.]hh:mm:ss[.fff]{(orInfinite ? $", or {Timeout.InfiniteTimeSpan:c} for never" : "")}",
        text,
        // TimeSpan reads "5" as five days, which no user means, so a colon is required.
        value => value.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out TimeSpan time) ? time : null,
        time => (time >= min && time <= max) || (orInfinite && time == Timeout.InfiniteTimeSpan))
    {
        Default = fallback.ToString("c", CultureInfo.InvariantCulture),
    };

    /// <summary><c>true</c> or <c>false</c>.</summary>
    public static Setting<bool> Boolean(string key, bool fallback, string text) =>
        new(key, "true or false", text, static value => bool.TryParse(value, out bool flag) ? flag : null, static _ => true)
        {
            Default = fallback ? "true" : "false",
        };

    /// <summary>A text that a rule allows.</summary>
    public static TextSetting Words(string key, string fallback, Func<string, bool> accepts, string allowed, string text) =>
        new(key, fallback, accepts, allowed, text) { Default = fallback.Length == 0 ? "none" : fallback };

    /// <summary>A setting that its own code reads and validates, such as a section or a secret.</summary>
    public static SpecialSetting Special(string key, string allowed, string text) => new(key, allowed, text);
}

/// <summary>A setting that its own code reads and validates.</summary>
internal sealed class SpecialSetting(string key, string allowed, string text) : Setting(key, allowed, text)
{
    /// <summary>The same setting with a default.</summary>
    public SpecialSetting WithDefault(string words) => new(Key, Allowed, Text) { Default = words };
}

/// <summary>A setting whose value is a number, a time or a flag.</summary>
internal sealed class Setting<T>(string key, string allowed, string text, Func<string, T?> parse, Func<T, bool> accepts) : Setting(key, allowed, text)
    where T : struct
{
    /// <summary>Parses a text; <see langword="null"/> if it is malformed or its value is out of range.</summary>
    public T? Parse(string value) => parse(value) is { } parsed && accepts(parsed) ? parsed : null;

    /// <summary>Validates a value that code may have set.</summary>
    /// <param name="section">The setting's section.</param>
    /// <param name="value">The value.</param>
    /// <param name="faults">Receives a fault if the value is out of range.</param>
    public void Validate(string section, T value, List<string> faults)
    {
        if (!accepts(value)) faults.Add($"{section}:{Key} was set to {value} in code; it must be {Allowed}.");
    }

    /// <summary>The same setting with a default that the machine or another setting determines.</summary>
    /// <param name="words">The default in words.</param>
    /// <param name="isInFaults">Whether a fault names it.</param>
    public Setting<T> WithDefault(string words, bool isInFaults = false) =>
        new(Key, Allowed, Text, parse, accepts) { Default = words, IsDefaultInFaults = isInFaults };
}

/// <summary>A setting whose value is a text.</summary>
internal sealed class TextSetting(string key, string fallback, Func<string, bool> accepts, string allowed, string text) : Setting(key, allowed, text)
{
    /// <summary>The value that is used when the setting is missing or malformed.</summary>
    public string Fallback => fallback;

    /// <summary>Whether a text is allowed.</summary>
    public bool Accepts(string value) => accepts(value);
}
