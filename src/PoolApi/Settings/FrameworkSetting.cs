namespace PoolApi.Settings;

/// <summary>What the service does with a setting of the framework.</summary>
internal enum SettingUse
{
    /// <summary>It has its documented effect.</summary>
    Used,

    /// <summary>Setting it stops the start.</summary>
    Refused,

    /// <summary>It belongs to another program, or to the runtime.</summary>
    NotOurs,
}

/// <summary>
/// One row of the table of framework settings. The service checks the configuration against the table. docs/settings.md lists the same
/// rows; a test compares them.
/// </summary>
/// <param name="Key">The key. A segment in braces stands for any; a star at the end for any rest.</param>
/// <param name="Use">What the service does with it.</param>
/// <param name="Text">Its effect; for a refused one, the reason and the alternative.</param>
internal sealed record FrameworkSetting(string Key, SettingUse Use, string Text)
{
    private readonly string[] _segments = Key.Split(':');

    /// <summary>The value that an unset key has, in words.</summary>
    public string Default { get; init; } = "";

    /// <summary>What a used one may be.</summary>
    public ValueRule Rule { get; init; } = ValueRule.Any;

    /// <summary>Whether a fault must not repeat the value.</summary>
    public bool IsSecret { get; init; }

    public static FrameworkSetting Used(string key, string fallback, ValueRule rule, string text) =>
        new(key, SettingUse.Used, text) { Default = fallback, Rule = rule };

    public static FrameworkSetting Refused(string key, string reason) => new(key, SettingUse.Refused, reason);

    public static FrameworkSetting NotOurs(string key, string reason) => new(key, SettingUse.NotOurs, reason);

    /// <summary>Whether a key of the configuration is this setting, or stands under it.</summary>
    public bool Covers(string key)
    {
        if (Key.EndsWith('*')) return key.AsSpan().StartsWith(Key.AsSpan(..^1), StringComparison.OrdinalIgnoreCase);
        // Each start compares every variable of the environment with every setting. This check rejects most of them without an allocation.
        if (!_segments[0].StartsWith('{') && !key.StartsWith(_segments[0], StringComparison.OrdinalIgnoreCase)) return false;
        string[] others = key.Split(':');
        // A refused section is refused with all that is under it.
        if (Use == SettingUse.Used ? others.Length != _segments.Length : others.Length < _segments.Length) return false;
        for (int i = 0; i < _segments.Length; i++)
        {
            if (!_segments[i].StartsWith('{') && !_segments[i].Equals(others[i], StringComparison.OrdinalIgnoreCase)) return false;
        }
        return true;
    }
}
