namespace PoolApi;

/// <summary>The rule for the name of a pool, which is a part of thread names, metrics and configuration sections.</summary>
internal static class PoolName
{
    /// <summary>The rule in words, to follow "it must be".</summary>
    public const string Rule = "1 to 32 ASCII letters, digits, '-', '_' or '.'";

    /// <summary>Whether a text is a valid name.</summary>
    public static bool IsValid(string? name) =>
        name is { Length: >= 1 and <= 32 } && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
