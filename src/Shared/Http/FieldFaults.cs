using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace PoolApi;

/// <summary>
/// Reads the parameters and headers of one request, and collects everything that is wrong with them, so that its client is told at once and
/// not one after another.
/// </summary>
internal class FieldFaults
{
    private Dictionary<string, string[]>? _byField;

    /// <summary>Reads a text as something else.</summary>
    public delegate bool Parser<T>(string text, out T value);

    /// <summary>What is wrong with each field; <see langword="null"/>: nothing is. Asked last.</summary>
    public Dictionary<string, string[]>? ByField => _byField;

    /// <summary>What a whole number may be, in words.</summary>
    public static string WholeNumberRule(int min, int max) => string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}");

    /// <summary>Reads a whole number.</summary>
    /// <remarks>The framework's parser overlooks trailing NULs.</remarks>
    public static Parser<int> WholeNumber(int min, int max) => (string text, out int value) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value)
        && !text.Contains('\0', StringComparison.Ordinal) && value >= min && value <= max;

    /// <summary>Notes a fault.</summary>
    /// <param name="field">The parameter or header, as the client writes it.</param>
    /// <param name="fault">What is wrong and what it may be, as a sentence. Never the value: it may be long, or a secret.</param>
    public void Add(string field, string fault)
    {
        _byField ??= new Dictionary<string, string[]>(StringComparer.Ordinal);
        _byField[field] = _byField.TryGetValue(field, out string[]? others) ? [.. others, fault] : [fault];
    }

    /// <summary>Reads a field that may be given once. What is wrong with it is a fault.</summary>
    /// <param name="field">The parameter or header.</param>
    /// <param name="values">Its values.</param>
    /// <param name="rule">What it may be, in words.</param>
    /// <param name="parse">Reads it.</param>
    /// <param name="value">What was read.</param>
    /// <param name="required">Whether it must be there.</param>
    /// <returns>Whether there is one, and nothing is wrong with it.</returns>
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
