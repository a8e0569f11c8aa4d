using PoolApi.Problems;

namespace PoolApi.JobRoutes;

/// <summary>Everything that is wrong with the fields of one request, so that its client is told at once and not one after another.</summary>
internal sealed class JobFaults(HttpContext context)
{
    private Dictionary<string, string[]>? _byField;

    /// <summary>The answer if anything is wrong. Read last.</summary>
    public IResult? Refusal => _byField is null ? null : Problem.InvalidRequest(context, _byField);

    /// <summary>Notes a fault.</summary>
    /// <param name="field">The parameter or header, as the client writes it.</param>
    /// <param name="fault">What is wrong and what it may be, as a sentence. Never the value: it may be long, or a secret.</param>
    public void Add(string field, string fault)
    {
        _byField ??= new Dictionary<string, string[]>(StringComparer.Ordinal);
        _byField[field] = _byField.TryGetValue(field, out string[]? others) ? [.. others, fault] : [fault];
    }
}
