namespace PoolApi.Jobs.PostgreSql;

/// <summary>The due jobs of each kind in order: a pool's claim reads no other pool's (<see cref="ReadyKinds"/>).</summary>
internal static class Migration4
{
    public static string Sql(string schema) =>
        $"create index jobs_ready_of_kind on {schema}.jobs (priority, kind, turn) where state = 0 and suspicion = 0 and turn is not null";
}
