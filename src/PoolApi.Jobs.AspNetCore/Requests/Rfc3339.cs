using System.Globalization;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>Reads and writes times in the format of RFC 3339.</summary>
internal static class Rfc3339
{
    /// <summary>What such a time looks like, as a regular expression.</summary>
    public const string Pattern = @"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$";

    private const int SecondsEnd = 19; // 2026-01-31T23:59:59
    private const int OffsetLength = 6; // +02:00
    private const int FinestDigits = 7;

    /// <summary>In UTC, to the millisecond, such as <c>2026-01-31T23:59:59.000Z</c>.</summary>
    public static string ToText(DateTimeOffset time) =>
        time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>
    /// Reads a time with its offset. Digits of the second's fraction beyond the seventh are dropped. A blank in place of the offset's plus sign
    /// counts as a plus: an unescaped plus in a query becomes a blank.
    /// </summary>
    public static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length <= SecondsEnd || text[10] is not ('T' or 't')) return false;
        bool isUtc = text[^1] is 'Z' or 'z';
        int offsetStart = isUtc ? text.Length - 1 : text.Length - OffsetLength;
        if (offsetStart < SecondsEnd) return false;
        if (!isUtc && text[offsetStart] is not ('+' or '-' or ' ')) return false;

        ReadOnlySpan<char> fraction = text.AsSpan(SecondsEnd, offsetStart - SecondsEnd);
        if (!fraction.IsEmpty && (fraction[0] != '.' || fraction.Length == 1 || fraction[1..].ContainsAnyExceptInRange('0', '9'))) return false;
        string kept = fraction.IsEmpty ? ".0" : fraction[..Math.Min(fraction.Length, FinestDigits + 1)].ToString();
        string offset = isUtc ? "+00:00" : (text[offsetStart] == '-' ? "-" : "+") + text[(offsetStart + 1)..];
        // The same digits in the one format that the parser reads exactly.
        string plain = $"{text.AsSpan(0, 10)}T{text.AsSpan(11, SecondsEnd - 11)}{kept}{offset}";
        return DateTimeOffset.TryParseExact(
            plain, "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz", CultureInfo.InvariantCulture, DateTimeStyles.None, out time);
    }
}
