namespace PoolApi.Jobs.PostgreSql;

/// <summary>The attempts before the latest one.</summary>
/// <remarks>
/// earlier: a JSON array (<see cref="PastAttempts"/>); null: none. What an instance of the version before goes on writing leaves it as it is.
/// </remarks>
internal static class Migration3
{
    public static string Sql(string schema) => $"alter table {schema}.jobs add column earlier jsonb";
}
