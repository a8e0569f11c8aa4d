namespace PoolApi.Jobs;

/// <summary>The kinds of jobs that a claim may take: the kinds of one pool, or all kinds except those of other pools. Immutable.</summary>
internal sealed class KindFilter
{
    private readonly HashSet<string> _kinds;

    private KindFilter(IEnumerable<string> kinds, bool isExclusion)
    {
        _kinds = new HashSet<string>(kinds, StringComparer.Ordinal);
        Kinds = [.. _kinds.Order(StringComparer.Ordinal)];
        IsExclusion = isExclusion;
    }

    /// <summary>Any kind.</summary>
    public static KindFilter All { get; } = AllBut([]);

    /// <summary>The listed kinds, without duplicates.</summary>
    public IReadOnlyList<string> Kinds { get; }

    /// <summary>Whether the filter excludes the listed kinds instead of including them.</summary>
    public bool IsExclusion { get; }

    /// <summary>Whether the filter accepts every kind, so that the store need not apply it.</summary>
    public bool IsAll => IsExclusion && Kinds.Count == 0;

    /// <summary>Creates a filter that accepts only these kinds.</summary>
    public static KindFilter Only(IEnumerable<string> kinds) => new(kinds, isExclusion: false);

    /// <summary>Creates a filter that accepts every kind except these, also kinds that no pool is named for.</summary>
    public static KindFilter AllBut(IEnumerable<string> kinds) => new(kinds, isExclusion: true);

    /// <summary>Whether the filter accepts a kind.</summary>
    public bool Contains(string kind) => _kinds.Contains(kind) != IsExclusion;
}
