namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// The SQL that finds the kinds of due jobs. One seek finds each kind, however many jobs it has, because the index begins with priority and kind.
/// A claim of some kinds reads only the ranges of these kinds.
/// </summary>
internal static class ReadyKinds
{
    /// <summary>The condition of a queued job that has its turn and is no suspect. The partial indexes of such jobs have the same condition.</summary>
    public const string IsReady = "j.state = 0 and j.suspicion = 0 and j.turn is not null";

    /// <summary>The rows <c>p (priority)</c>, the highest first.</summary>
    public const string Priorities = "(values (1::smallint), (0::smallint), (-1::smallint)) as p (priority)";

    /// <summary>Returns a query of the kinds that have due jobs of the priority <c>p.priority</c> and that a filter accepts.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="kinds">The parameter with the filter's kinds.</param>
    /// <param name="isExclusion">The parameter for whether the filter excludes these kinds.</param>
    public static string Sql(string schema, string kinds, string isExclusion) =>
        $"""
        with recursive k (kind) as (
          (select j.kind from {schema}.jobs j where {IsReady} and j.priority = p.priority order by j.kind limit 1)
          union all
          select (select j.kind from {schema}.jobs j where {IsReady} and j.priority = p.priority and j.kind > k.kind order by j.kind limit 1)
          from k where k.kind is not null
        )
        select k.kind from k where (k.kind = any({kinds})) <> {isExclusion}
        """;
}
