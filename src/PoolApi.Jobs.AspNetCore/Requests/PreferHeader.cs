using System.Buffers;
using System.Globalization;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>The header <c>Prefer</c> (RFC 7240).</summary>
/// <remarks>
/// <para>It may come several times and each time hold several preferences, with values that are quoted or not, and with
/// parameters. Of the same preference the first counts.</para>
/// <para>A preference never makes a request fail. The reader skips unknown preferences, and malformed ones up to the next comma.
/// A longer <c>wait</c> than the longest becomes the longest. <c>Preference-Applied</c> reports to the client what was applied.</para>
/// <para>This class has a reader of its own. <c>NameValueWithParametersHeaderValue</c> of the framework rejects preferences that RFC 7240 permits,
/// such as one with an empty parameter (<c>respond-async;;wait</c>), reads no list, and would reject a whole line for one malformed preference.</para>
/// </remarks>
internal static class PreferHeader
{
    public const string RespondAsync = "respond-async";

    /// <summary>The longest wait, in seconds.</summary>
    public const int MaxWait = 300;

    private const string Name = "Prefer";
    private const string Wait = "wait";

    private static readonly string Longest = string.Create(
        CultureInfo.InvariantCulture, $"0 to {MaxWait}");

    /// <summary>The header of a request that may become a job.</summary>
    public static RequestParameter OfWork { get; } = RequestParameter.Header(
        Name,
        $"respond-async: 202 and a job, instead of waiting. With wait=N (seconds, {Longest}) the result itself, if it is there in that time. A longer wait counts as {MaxWait}.",
        "respond-async, wait=5");

    /// <summary>The header of a request for a job.</summary>
    public static RequestParameter OfJob { get; } = RequestParameter.Header(
        Name, $"`wait=N`: wait up to N seconds, {Longest}. A longer wait counts as {MaxWait}.", "wait=30");

    /// <summary>Reads what the client prefers.</summary>
    public static Preference Read(HttpRequest request)
    {
        bool? respondAsync = null;
        TimeSpan? time = null;
        bool hasWait = false;
        foreach (string? line in request.Headers[Name])
        {
            var reader = new Reader(line);
            while (reader.TryRead(out ReadOnlySpan<char> name, out string? value))
            {
                if (name.Equals(RespondAsync, StringComparison.OrdinalIgnoreCase))
                {
                    // The preference has no value. With a value it counts as an unknown preference.
                    respondAsync ??= value is "";
                }
                else if (!hasWait && name.Equals(Wait, StringComparison.OrdinalIgnoreCase))
                {
                    hasWait = true;
                    time = ReadWait(value);
                }
            }
        }
        return new Preference(respondAsync == true, time);
    }

    private static TimeSpan? ReadWait(string? value)
    {
        if (string.IsNullOrEmpty(value) || value.AsSpan().ContainsAnyExceptInRange('0', '9')) return null;
        // A number that is too long for an int is too long a wait as well.
        bool isShort = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds <= MaxWait;
        return TimeSpan.FromSeconds(isShort ? seconds : MaxWait);
    }

    /// <summary>Takes one line of the header apart.</summary>
    /// <remarks>
    /// <code>
    ///   line        = [ preference ] *( "," [ preference ] )
    ///   preference  = pair *( ";" [ pair ] )
    ///   pair        = token [ "=" [ token / quoted-string ] ]      blanks may be around each sign
    /// </code>
    /// </remarks>
    private ref struct Reader(ReadOnlySpan<char> line)
    {
        private static readonly SearchValues<char> TokenSigns =
            SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

        private ReadOnlySpan<char> _rest = line;

        /// <summary>Reads the next preference.</summary>
        /// <param name="name">Its name; may be empty if it is malformed.</param>
        /// <param name="value">Its value, empty if it has none; <see langword="null"/> if it is malformed.</param>
        /// <returns>Whether there was one.</returns>
        public bool TryRead(out ReadOnlySpan<char> name, out string? value)
        {
            _rest = _rest.TrimStart(" \t,");
            bool any = !_rest.IsEmpty;
            if (!TryReadPair(out name, out value) || !TrySkipParameters())
            {
                value = null;
                SkipToComma();
            }
            return any;
        }

        private bool TrySkipParameters()
        {
            while (true)
            {
                SkipBlanks();
                if (_rest.IsEmpty || _rest[0] == ',') return true;
                if (!Take(';')) return false;
                SkipBlanks();
                bool isLeftOut = _rest.IsEmpty || _rest[0] is ',' or ';';
                if (!isLeftOut && !TryReadPair(out _, out _)) return false;
            }
        }

        private bool TryReadPair(out ReadOnlySpan<char> name, out string? value)
        {
            name = TakeToken();
            value = "";
            if (name.IsEmpty) return false;
            SkipBlanks();
            if (!Take('=')) return true;
            SkipBlanks();
            if (!Take('"'))
            {
                value = TakeToken().ToString();
                return true;
            }
            value = TakeQuoted();
            return value is not null;
        }

        private ReadOnlySpan<char> TakeToken()
        {
            int end = _rest.IndexOfAnyExcept(TokenSigns);
            ReadOnlySpan<char> token = end < 0 ? _rest : _rest[..end];
            _rest = _rest[token.Length..];
            return token;
        }

        /// <summary>Takes what is up to the closing quote, which is taken too; <see langword="null"/> if there is none.</summary>
        private string? TakeQuoted()
        {
            var text = new System.Text.StringBuilder();
            while (!_rest.IsEmpty)
            {
                char sign = TakeOne();
                if (sign == '"') return text.ToString();
                if (sign == '\\' && !_rest.IsEmpty) sign = TakeOne();
                text.Append(sign);
            }
            return null;
        }

        private void SkipToComma()
        {
            while (!_rest.IsEmpty && _rest[0] != ',')
            {
                // A comma in a quoted string does not end the preference.
                if (TakeOne() == '"') TakeQuoted();
            }
        }

        private void SkipBlanks() => _rest = _rest.TrimStart(" \t");

        private bool Take(char sign)
        {
            bool isNext = !_rest.IsEmpty && _rest[0] == sign;
            if (isNext) _rest = _rest[1..];
            return isNext;
        }

        private char TakeOne()
        {
            char sign = _rest[0];
            _rest = _rest[1..];
            return sign;
        }
    }
}
