using System.Buffers;
using System.Globalization;

namespace PoolApi.JobRoutes;

/// <summary>The header <c>Prefer</c> (RFC 7240).</summary>
/// <remarks>
/// <para>It may come several times and each time hold several preferences, with values that are quoted or not, and with
/// parameters. Of the same preference the first counts. What is not known is passed over, as the RFC wants it.</para>
/// <para>So is what is malformed, up to the next comma; except a <c>wait</c>, which is a fault: its client means to wait for
/// some time, and would be told otherwise only by how long it takes.</para>
/// </remarks>
internal static class PreferHeader
{
    public const string Name = "Prefer";
    public const string RespondAsync = "respond-async";

    /// <summary>The longest wait, in seconds.</summary>
    public const int MaxWait = 300;

    private const string Wait = "wait";

    /// <summary>Reads what the client prefers; a <c>wait</c> that is none is a fault.</summary>
    public static Preference Read(HttpRequest request, JobFaults faults)
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
                    // It has no value; with one it is another preference, which nobody knows.
                    respondAsync ??= value is "";
                }
                else if (!hasWait && name.Equals(Wait, StringComparison.OrdinalIgnoreCase))
                {
                    hasWait = true;
                    time = ReadWait(value, faults);
                }
            }
        }
        return new Preference(respondAsync == true, time);
    }

    private static TimeSpan? ReadWait(string? value, JobFaults faults)
    {
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds <= MaxWait)
            return TimeSpan.FromSeconds(seconds);
        faults.Add(Name, string.Create(CultureInfo.InvariantCulture, $"Prefer: wait may be a whole number of seconds from 0 to {MaxWait}, such as wait=5."));
        return null;
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
                // A comma between quotes ends nothing.
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
