using System.Text;
using Microsoft.Extensions.Primitives;
using PoolApi.Jobs.AspNetCore.Problems;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>The header <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header): the client's own name for a request.</summary>
/// <remarks>
/// By the draft it is a string in quotes (a structured field, RFC 9651); most clients send a bare UUID or token. Both are taken,
/// and mean the same key. Which signs it may have is the same for both.
/// </remarks>
internal static class IdempotencyKeyHeader
{
    public const string Name = "Idempotency-Key";

    /// <summary>The longest key, in characters.</summary>
    public const int MaxLength = 255;

    /// <summary>What a key may be, in words.</summary>
    public const string Rule = "1 to 255 visible ASCII characters";

    private const string Allowed = $"it may be {Rule}, in double quotes or (without quotes, commas, semicolons and backslashes) bare, such as a UUID.";

    /// <summary>Whether a text, without quotes, may be a key.</summary>
    public static bool IsKey(string text) => text.Length is >= 1 and <= MaxLength && !text.AsSpan().ContainsAnyExceptInRange('!', '~');

    /// <summary>The key, without the quotes.</summary>
    /// <returns><see langword="null"/> if there is none, or it is a fault.</returns>
    public static string? Read(HttpRequest request, JobFaults faults)
    {
        if (!request.Headers.TryGetValue(Name, out StringValues values) || values.Count == 0) return null;
        if (values.Count > 1)
        {
            faults.Add(Name, $"{Name} is given {values.Count} times; {Allowed}");
            return null;
        }
        string text = (values[0] ?? "").Trim(' ', '\t');
        string? key = text.StartsWith('"') ? Unquote(text) : IsBare(text) ? text : null;
        if (key is not null && IsKey(key)) return key;
        faults.Add(Name, text.Length switch
        {
            0 => $"{Name} is empty; {Allowed}",
            // Both quotes, and each character escaped.
            > (2 * MaxLength) + 2 => $"{Name} is too long; {Allowed}",
            _ => $"{Name} is not such a key as is taken; {Allowed}",
        });
        return null;
    }

    private static bool IsBare(string text) =>
        !text.AsSpan().ContainsAnyExceptInRange('!', '~') && text.AsSpan().IndexOfAny("\",;\\") < 0;

    /// <summary>Takes the quotes off; within them a backslash goes before a quote and before itself, and before nothing else.</summary>
    private static string? Unquote(string text)
    {
        var key = new StringBuilder();
        for (int i = 1; i < text.Length && key.Length <= MaxLength; i++)
        {
            char sign = text[i];
            if (sign == '"') return i == text.Length - 1 ? key.ToString() : null;
            if (sign is < '!' or > '~') return null;
            if (sign == '\\')
            {
                if (++i == text.Length || text[i] is not ('"' or '\\')) return null;
                sign = text[i];
            }
            key.Append(sign);
        }
        return null;
    }
}
