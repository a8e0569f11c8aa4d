using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace PoolApi;

/// <summary>
/// Parses the parameters and headers of one request and collects all faults, so that one response reports them together. Not thread-safe.
/// </summary>
internal class FieldFaults
{
    private Dictionary<string, string[]>? _byField;

    /// <summary>Parses a text.</summary>
    public delegate bool Parser<T>(string text, out T value);

    /// <summary>The faults of each field; <see langword="null"/> if there are none. Read it when all fields are parsed.</summary>
    public Dictionary<string, string[]>? ByField => _byField;

    /// <summary>The rule for a whole number, in words.</summary>
    public static string WholeNumberRule(int min, int max) => string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}");

    /// <summary>Parses a whole number within a range.</summary>
    /// <remarks>It refuses trailing NUL characters, which the framework's parser ignores.</remarks>
    public static Parser<int> WholeNumber(int min, int max) => (string text, out int value) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value)
        && !text.Contains('\0', StringComparison.Ordinal) && value >= min && value <= max;

    /// <summary>Adds a fault.</summary>
    /// <param name="field">The parameter or header, as the client writes it.</param>
    /// <param name="fault">A sentence that says what is wrong and which values are allowed. It never has the value, which may be long or a secret.</param>
    public void Add(string field, string fault)
    {
        _byField ??= new Dictionary<string, string[]>(StringComparer.Ordinal);
        _byField[field] = _byField.TryGetValue(field, out string[]? others) ? [.. others, fault] : [fault];
    }

    /// <summary>Parses a field that may be given once. A missing required field, a repeated field or a malformed value is a fault.</summary>
    /// <param name="field">The parameter or header.</param>
    /// <param name="values">Its values.</param>
    /// <param name="rule">The allowed values, in words.</param>
    /// <param name="parse">Parses the value.</param>
    /// <param name="value">The parsed value.</param>
    /// <param name="required">Whether the field must be given.</param>
    /// <returns>Whether the field is given and its value is valid.</returns>
    public bool TryRead<T>(string field, StringValues values, string rule, Parser<T> parse, out T value, bool required = false)
    {
        value = default!;
        if (values.Count == 1 && parse(values[0] ?? "", out value)) return true;
        if (values.Count == 1) Add(field, $"{field} may be {rule}.");
        else if (values.Count > 1) Add(field, $"{field} is given {values.Count} times; it may be given once, as {rule}.");
        else if (required) Add(field, $"{field} is missing; it may be {rule}.");
        return false;
    }
}
