using PoolApi.Problems;

namespace PoolApi.Requests;

/// <summary>
/// Reads query parameters and collects everything that is wrong with them: missing, given twice, or not what they may be.
/// </summary>
internal sealed class QueryReader(HttpContext context)
{
    private readonly FieldFaults _faults = new();

    /// <summary>The answer if anything was wrong. Read last.</summary>
    public IResult? Refusal => _faults.ByField is { } faults ? Problem.InvalidRequest(context, faults) : null;

    /// <summary>A whole number that must be there.</summary>
    public int WholeNumber(string name, int min, int max) => WholeNumber(name, min, max, required: true) ?? min;

    /// <summary>A whole number that may be left out.</summary>
    public int? OptionalWholeNumber(string name, int min, int max) => WholeNumber(name, min, max, required: false);

    /// <summary><c>true</c> or <c>false</c>; false when left out.</summary>
    public bool Flag(string name) => TryRead(name, "true or false", static (string text, out bool value) =>
    {
        // Not the framework's parser: that takes blanks and NULs around it.
        value = string.Equals(text, "true", StringComparison.OrdinalIgnoreCase);
        return value || string.Equals(text, "false", StringComparison.OrdinalIgnoreCase);
    }, out bool flag) && flag;

    /// <summary>One of a few words; the first when left out.</summary>
    public T OneOf<T>(string name, ReadOnlySpan<(string Word, T Value)> choices)
        where T : struct => OptionalOneOf(name, choices) ?? choices[0].Value;

    /// <summary>One of a few words, that may be left out.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="choices">The words.</param>
    /// <param name="aliases">Other words for the same, which clients are known to use.</param>
    public T? OptionalOneOf<T>(string name, ReadOnlySpan<(string Word, T Value)> choices, params ReadOnlySpan<(string Word, T Value)> aliases)
        where T : struct
    {
        (string Word, T Value)[] known = [.. choices, .. aliases];
        string allowed = "one of: " + string.Join(", ", choices.ToArray().Select(static c => c.Word));
        return TryRead(name, allowed, TryFind, out T found) ? found : null;

        bool TryFind(string text, out T value)
        {
            int index = Array.FindIndex(known, k => string.Equals(k.Word, text, StringComparison.OrdinalIgnoreCase));
            value = index < 0 ? default : known[index].Value;
            return index >= 0;
        }
    }

    /// <summary>A text of some kind that may be left out.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="allowed">What it may be, in words.</param>
    /// <param name="isAllowed">Whether a text is such.</param>
    public string? OptionalText(string name, string allowed, Func<string, bool> isAllowed) =>
        TryRead(name, allowed, (string given, out string value) => isAllowed(value = given), out string text) ? text : null;

    private int? WholeNumber(string name, int min, int max, bool required) =>
        TryRead(name, FieldFaults.WholeNumberRule(min, max), FieldFaults.WholeNumber(min, max), out int number, required) ? number : null;

    private bool TryRead<T>(string name, string rule, FieldFaults.Parser<T> parse, out T value, bool required = false) =>
        _faults.TryRead(name, context.Request.Query[name], rule, parse, out value, required);
}
