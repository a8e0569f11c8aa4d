using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace PoolApi;

// No XML documentation here: the OpenAPI package reads that of referenced projects too, and fails where a member is in two of them.

// Collects everything that is wrong with the parameters, headers and body of one request, so that one response names all of it.
internal class FieldFaults
{
    private Dictionary<string, string[]>? _byField;

    // Parses a text.
    public delegate bool Parser<T>(string text, out T value);

    // The faults of each field. Null: no fault. Read after all fields have been read.
    public Dictionary<string, string[]>? ByField => _byField;

    // What a whole number must be, in words.
    public static string WholeNumberRule(int min, int max) => string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}");

    // Reads a whole number. The framework's parser overlooks trailing NULs.
    public static Parser<int> WholeNumber(int min, int max) => (string text, out int value) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value)
        && !text.Contains('\0', StringComparison.Ordinal) && value >= min && value <= max;

    // Notes a fault.
    // field: The parameter or header, as the client writes it.
    // fault: What is wrong and what it must be, as a sentence. Never the value: it may be long, or a secret.
    public void Add(string field, string fault)
    {
        _byField ??= new Dictionary<string, string[]>(StringComparer.Ordinal);
        _byField[field] = _byField.TryGetValue(field, out string[]? others) ? [.. others, fault] : [fault];
    }

    // Reads a field that may be given once. Notes a fault if it is invalid.
    // rule: What it must be, in words.
    // Returns whether it is given and valid.
    public bool TryRead<T>(string field, StringValues values, string rule, Parser<T> parse, out T value, bool required = false)
    {
        value = default!;
        if (values.Count == 1 && parse(values[0] ?? "", out value)) return true;
        if (values.Count == 1) Add(field, $"{field} must be {rule}.");
        else if (values.Count > 1) Add(field, $"{field} is given {values.Count} times; it may be given only once, as {rule}.");
        else if (required) Add(field, $"{field} is missing; it must be {rule}.");
        return false;
    }
}
