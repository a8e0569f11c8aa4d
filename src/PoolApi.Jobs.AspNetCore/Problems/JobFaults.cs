using Microsoft.Extensions.Primitives;

namespace PoolApi.Jobs.AspNetCore.Problems;

/// <summary>Everything that is wrong with the fields of one request, so that its client is told at once and not one after another.</summary>
internal sealed class JobFaults(HttpContext context)
{
    private Dictionary<string, string[]>? _byField;

    /// <summary>Reads a text as something else.</summary>
    public delegate bool Parser<T>(string text, out T value);

    /// <summary>The answer if anything is wrong. Read last.</summary>
    public IResult? Refusal => _byField is null ? null : JobProblem.InvalidRequest(context, _byField);

    /// <summary>Notes a fault.</summary>
    /// <param name="field">The parameter or header, as the client writes it.</param>
    /// <param name="fault">What is wrong and what it may be, as a sentence. Never the value: it may be long, or a secret.</param>
    public void Add(string field, string fault)
    {
        _byField ??= new Dictionary<string, string[]>(StringComparer.Ordinal);
        _byField[field] = _byField.TryGetValue(field, out string[]? others) ? [.. others, fault] : [fault];
    }

    /// <summary>Reads a field that may be given once, or not at all. What is wrong with it is a fault.</summary>
    /// <param name="field">The parameter or header.</param>
    /// <param name="values">Its values.</param>
    /// <param name="rule">What it may be, in words.</param>
    /// <param name="parse">Reads it.</param>
    /// <param name="value">What was read.</param>
    /// <returns>Whether there is one, and nothing is wrong with it.</returns>
    public bool TryRead<T>(string field, StringValues values, string rule, Parser<T> parse, out T value)
    {
        value = default!;
        if (values.Count == 0) return false;
        if (values.Count > 1) Add(field, $"{field} is given {values.Count} times; it may be given once, as {rule}.");
        else if (parse(values[0] ?? "", out value)) return true;
        else Add(field, $"{field} may be {rule}.");
        return false;
    }
}
