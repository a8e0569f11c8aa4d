using PoolApi.Jobs.PostgreSql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps an app's jobs in a database that many instances share.</summary>
public static class PostgreSqlJobsBuilderExtensions
{
    /// <summary>Keeps jobs in PostgreSQL, 15 or newer, in the schema <c>poolapi</c>, which is created if it does not exist.</summary>
    /// <param name="jobs">The app's jobs.</param>
    /// <param name="connectionString">An Npgsql connection string. It is not logged, because it may contain a password.</param>
    public static JobsBuilder UsePostgreSql(this JobsBuilder jobs, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return jobs.UseStore(_ => new PostgreSqlJobStore(connectionString));
    }
}
