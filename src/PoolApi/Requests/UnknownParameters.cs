using PoolApi.Problems;

namespace PoolApi.Requests;

/// <summary>Refuses query parameters that a route does not have: a misspelt one would have no effect, without notice.</summary>
internal static class UnknownParameters
{
    // A request line has room for thousands of names; the response has room for those that a person reads.
    private const int MaxNamed = 8;
    private const int MaxNameLength = 64;

    public static IResult? Refuse(HttpContext context, IReadOnlyList<QueryParameterMetadata> known)
    {
        if (!context.Request.QueryString.HasValue) return null;
        Dictionary<string, string[]>? errors = null;
        foreach (string name in context.Request.Query.Keys)
        {
            if (IsKnown(name, known)) continue;
            errors ??= [];
            if (errors.Count == MaxNamed) break;
            errors[Shortened(name)] = [Fault(name, known)];
        }
        if (errors is null) return null;
        string all = known.Count == 0 ? "This route has no query parameters." : $"This route has: {string.Join(", ", known.Select(static p => p.Name))}.";
        return Problem.Of(
            context, CommonProblems.InvalidRequest, string.Join(" ", errors.Values.Select(static e => e[0]).Append(all)), errors);
    }

    private static bool IsKnown(string name, IReadOnlyList<QueryParameterMetadata> known)
    {
        // Case-insensitive, as the framework's own query is.
        foreach (QueryParameterMetadata parameter in known)
        {
            if (string.Equals(parameter.Name, name, StringComparison.OrdinalIgnoreCase)) return true;
        }
        return false;
    }

    private static string Fault(string name, IReadOnlyList<QueryParameterMetadata> known)
    {
        if (name.Length == 0) return "The query has a value without a name.";
        string? nearest = NearestName.Of(name, known.Select(static p => p.Name));
        return $"{Shortened(name)} is no query parameter of this route{(nearest is null ? "." : $". Did you mean {nearest}?")}";
    }

    private static string Shortened(string name) => name.Length <= MaxNameLength ? name : name[..MaxNameLength] + "…";
}
