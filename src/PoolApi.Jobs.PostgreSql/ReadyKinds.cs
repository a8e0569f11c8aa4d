namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// The kinds of the jobs that are due, each found by one seek of an index that begins with priority and kind, however many jobs there are
/// of it. A claim of some kinds looks at each range of its own, and passes over no others.
/// </summary>
internal static class ReadyKinds
{
    /// <summary>Holds of a job that is due and no suspect, as the indexes of such jobs say it.</summary>
    public const string IsReady = "j.state = 0 and j.suspicion = 0 and j.turn is not null";

    /// <summary>The rows <c>p (priority)</c>, the highest first.</summary>
    public const string Priorities = "(values (1::smallint), (0::smallint), (-1::smallint)) as p (priority)";

    /// <summary>A query of the kinds of one priority, <c>p.priority</c>, that a filter takes.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="kinds">The parameter with the filter's kinds.</param>
    /// <param name="isExclusion">The parameter that says whether it takes all but these.</param>
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
