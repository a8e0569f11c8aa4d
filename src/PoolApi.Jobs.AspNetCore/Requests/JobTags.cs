using System.Buffers;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>The rule for tags.</summary>
internal static class JobTags
{
    /// <summary>How many a job may have.</summary>
    public const int MaxCount = 16;

    /// <summary>How long each may be, in characters.</summary>
    public const int MaxLength = 64;

    /// <summary>What a tag may be, in words.</summary>
    public const string Rule = "1 to 64 ASCII letters, digits, '-', '_', '.', ':' or '/'";

    /// <summary>The same, as a regular expression.</summary>
    public const string Pattern = "^[A-Za-z0-9_.:/-]{1,64}$";

    private static readonly SearchValues<char> Signs =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/");

    public static bool IsTag(string text) => text.Length is >= 1 and <= MaxLength && !text.AsSpan().ContainsAnyExcept(Signs);
}
