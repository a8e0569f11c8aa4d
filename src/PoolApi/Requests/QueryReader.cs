using System.Globalization;
using Microsoft.Extensions.Primitives;
using PoolApi.Problems;

namespace PoolApi.Requests;

/// <summary>
/// Reads query parameters and collects everything that is wrong with them: missing, given twice, or not what they may be.
/// </summary>
internal sealed class QueryReader(HttpContext context)
{
    private Dictionary<string, string[]>? _errors;

    /// <summary>The answer if anything was wrong. Read last.</summary>
    public IResult? Refusal => _errors is null ? null : Problem.InvalidRequest(context, _errors);

    /// <summary>A whole number that must be there.</summary>
    public int WholeNumber(string name, int min, int max) => TryWholeNumber(name, min, max, required: true) ?? min;

    /// <summary>A whole number that may be left out.</summary>
    public int? OptionalWholeNumber(string name, int min, int max) => TryWholeNumber(name, min, max, required: false);

    /// <summary><c>true</c> or <c>false</c>; false when left out.</summary>
    public bool Flag(string name)
    {
        const string Allowed = "true or false";
        if (!TryGet(name, required: false, Allowed, out string text)) return false;
        // Not the framework's parser: that takes blanks and NULs around it.
        if (string.Equals(text, "true", StringComparison.OrdinalIgnoreCase)) return true;
        if (string.Equals(text, "false", StringComparison.OrdinalIgnoreCase)) return false;
        Fault(name, $"{name} may be {Allowed}.");
        return false;
    }

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
        string allowed = string.Join(", ", choices.ToArray().Select(static c => c.Word));
        if (!TryGet(name, required: false, allowed, out string text)) return null;
        foreach (var (word, value) in (ReadOnlySpan<(string, T)>)[.. choices, .. aliases])
        {
            if (string.Equals(word, text, StringComparison.OrdinalIgnoreCase)) return value;
        }
        Fault(name, $"{name} may be one of: {allowed}.");
        return null;
    }

    /// <summary>A text of some kind that may be left out.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="allowed">What it may be, in words.</param>
    /// <param name="isAllowed">Whether a text is such.</param>
    public string? OptionalText(string name, string allowed, Func<string, bool> isAllowed)
    {
        if (!TryGet(name, required: false, allowed, out string text)) return null;
        if (isAllowed(text)) return text;
        Fault(name, $"{name} may be {allowed}.");
        return null;
    }

    private int? TryWholeNumber(string name, int min, int max, bool required)
    {
        string allowed = string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}");
        if (!TryGet(name, required, allowed, out string text)) return null;
        // The framework's parser overlooks trailing NULs.
        if (!text.Contains('\0', StringComparison.Ordinal)
            && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max)
        {
            return value;
        }
        Fault(name, $"{name} may be {allowed}.");
        return null;
    }

    private bool TryGet(string name, bool required, string allowed, out string text)
    {
        StringValues values = context.Request.Query[name];
        text = values.Count == 1 ? values[0] ?? "" : "";
        if (values.Count == 1) return true;
        if (values.Count > 1) Fault(name, $"{name} is given {values.Count} times; it may be given once, as {allowed}.");
        else if (required) Fault(name, $"{name} is missing; it may be {allowed}.");
        return false;
    }

    private void Fault(string name, string message) => (_errors ??= [])[name] = [message];
}
