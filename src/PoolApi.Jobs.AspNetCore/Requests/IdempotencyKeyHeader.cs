using System.Text;
using Microsoft.OpenApi;
using PoolApi.Jobs.AspNetCore.Problems;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>The header <c>Idempotency-Key</c> (draft-ietf-httpapi-idempotency-key-header): the client's own name for a request.</summary>
/// <remarks>
/// By the draft it is a string in quotes (a structured field, RFC 9651); most clients send a bare UUID or token. Both are accepted, and
/// mean the same key. The same characters are permitted in both.
/// </remarks>
internal static class IdempotencyKeyHeader
{
    /// <summary>The longest key, in characters.</summary>
    public const int MaxLength = 255;

    /// <summary>What a key may be, in words.</summary>
    public const string Rule = "1 to 255 visible ASCII characters";

    public static readonly RequestParameter<string> Parameter = new(
        "Idempotency-Key", ParameterLocation.Header,
        "The client's own name for this request: sent again under the same key, it is the same job. Without respond-async the response is the result.",
        static _ => RequestParameter.PlainText(),
        new ParameterRule<string>(
            $"{Rule}, in double quotes or (without quotes, commas, semicolons and backslashes) bare, such as a UUID", TryParse),
        example: "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"");

    /// <summary>Whether a text, without quotes, may be a key.</summary>
    public static bool IsKey(string text) => text.Length is >= 1 and <= MaxLength && !text.AsSpan().ContainsAnyExceptInRange('!', '~');

    /// <summary>The key, without the quotes.</summary>
    /// <returns><see langword="null"/> if there is none, or it is a fault.</returns>
    public static string? Read(HttpContext context, JobFaults faults) => Parameter.Read(context, faults);

    private static bool TryParse(string header, out string key)
    {
        string text = header.Trim(' ', '\t');
        key = (text.StartsWith('"') ? Unquote(text) : IsBare(text) ? text : null) ?? "";
        return IsKey(key);
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
