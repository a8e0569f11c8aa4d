namespace PoolApi.Jobs.PostgreSql;

/// <summary>The past attempts of a job.</summary>
/// <remarks>
/// earlier: a JSON array (<see cref="PastAttempts"/>); null: none. Instances of the version before leave it as it is.
/// </remarks>
internal static class Migration3
{
    public static string Sql(string schema) => $"alter table {schema}.jobs add column earlier jsonb";
}
