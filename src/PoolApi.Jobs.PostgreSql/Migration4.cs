namespace PoolApi.Jobs.PostgreSql;

/// <summary>An index with the due jobs of each kind in order, so that a pool's claim reads no other pool's jobs (<see cref="ReadyKinds"/>).</summary>
internal static class Migration4
{
    public static string Sql(string schema) =>
        $"create index jobs_ready_of_kind on {schema}.jobs (priority, kind, turn) where state = 0 and suspicion = 0 and turn is not null";
}
