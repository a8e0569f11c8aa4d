using System.Text;
using System.Text.RegularExpressions;

namespace PoolApi.Tests.Rooms;

/// <summary>C# source without its comments and literals. The expressions in an interpolated string stay.</summary>
internal sealed partial class SourceCode
{
    private readonly string _text;
    private readonly StringBuilder _code = new();
    private int _at;

    private SourceCode(string text) => _text = text;

    public static string Of(string text)
    {
        var source = new SourceCode(text);
        source.CopyCode(inHole: false);
        return source._code.ToString();
    }

    /// <summary>Up to the end, or in a hole of an interpolated string up to the brace that closes it.</summary>
    private void CopyCode(bool inHole)
    {
        for (int depth = 0; _at < _text.Length;)
        {
            if (Skipped().Match(_text, _at) is { Success: true } skipped)
            {
                _at += skipped.Length;
                _code.Append(' ');
                continue;
            }
            if (Opening().Match(_text, _at) is { Success: true } opening)
            {
                CopyHoles(opening);
                _code.Append(' ');
                continue;
            }
            char next = _text[_at++];
            if (inHole && next == '}' && depth-- == 0) return;
            if (next == '{') depth++;
            _code.Append(next);
        }
    }

    /// <summary>From the start of a string to its end.</summary>
    private void CopyHoles(Match opening)
    {
        string prefix = opening.Groups["prefix"].Value;
        int quotes = opening.Groups["quotes"].Length;
        bool isRaw = quotes > 2, isVerbatim = prefix.Contains('@', StringComparison.Ordinal);
        int braces = isRaw ? prefix.Length : prefix.Contains('$', StringComparison.Ordinal) ? 1 : 0;
        _at += opening.Length;
        while (_at < _text.Length)
        {
            int run = Run(_text[_at]);
            switch (_text[_at])
            {
                case '"' when run >= quotes && (isRaw || !isVerbatim || run % 2 == 1):
                    // All quotes of a raw string's end are one run. Of any other string's, those before the last are escaped in a verbatim one.
                    _at += isRaw || isVerbatim ? run : 1;
                    return;
                case '{' when isRaw ? braces > 0 && run >= braces : braces > 0 && run % 2 == 1:
                    _at += run;
                    _code.Append(' ');
                    CopyCode(inHole: true);
                    if (isRaw) _at += braces - 1;
                    break;
                case '\\' when !isRaw && !isVerbatim:
                    _at += 2;
                    break;
                default:
                    _at += run;
                    break;
            }
        }
    }

    private int Run(char of) => _text.AsSpan(_at).IndexOfAnyExcept(of) is >= 0 and var length ? length : _text.Length - _at;

    [GeneratedRegex(@"\G(?://[^\n]*|/\*.*?\*/|'(?:\\[^\n]+?|[^'\\\n])')", RegexOptions.Singleline)]
    private static partial Regex Skipped();

    [GeneratedRegex(@"\G(?:(?<prefix>\$?@\$?)(?<quotes>"")|(?<prefix>\$*)(?<quotes>""{3,}|""))")]
    private static partial Regex Opening();
}
