namespace PoolApi.Jobs;

/// <summary>Which kinds of jobs a claim may take: a pool's own kinds, or all but those of other pools. Immutable.</summary>
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

    /// <summary>The kinds that are named, each once.</summary>
    public IReadOnlyList<string> Kinds { get; }

    /// <summary>Whether it takes every kind but those; otherwise it takes those and no other.</summary>
    public bool IsExclusion { get; }

    /// <summary>Takes any kind: the store need not look at it.</summary>
    public bool IsAll => IsExclusion && Kinds.Count == 0;

    /// <summary>These kinds and no other.</summary>
    public static KindFilter Only(IEnumerable<string> kinds) => new(kinds, isExclusion: false);

    /// <summary>Every kind but these, those that nobody knows included.</summary>
    public static KindFilter AllBut(IEnumerable<string> kinds) => new(kinds, isExclusion: true);

    /// <summary>Whether it takes a kind.</summary>
    public bool Contains(string kind) => _kinds.Contains(kind) != IsExclusion;
}
