using PoolApi.Jobs.PostgreSql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps an app's jobs in a database that many instances share.</summary>
public static class PostgreSqlJobsBuilderExtensions
{
    /// <summary>Keeps jobs in PostgreSQL, 15 or newer, in the schema <c>poolapi</c>, which is made if it is not there.</summary>
    /// <param name="jobs">The app's jobs.</param>
    /// <param name="connectionString">Where the database is. May hold a password: it is not logged.</param>
    public static JobsBuilder UsePostgreSql(this JobsBuilder jobs, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return jobs.UseStore(_ => new PostgreSqlJobStore(connectionString));
    }
}
