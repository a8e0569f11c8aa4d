using PoolApi.Jobs.PostgreSql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps an app's jobs in a database that many instances share.</summary>
public static class PostgreSqlJobsBuilderExtensions
{
    /// <summary>Keeps jobs in PostgreSQL, 15 or newer.</summary>
    /// <param name="jobs">The app's jobs.</param>
    /// <param name="connectionString">An Npgsql connection string. It is not logged, because it may contain a password.</param>
    /// <param name="schema">
    /// The schema of the tables, which is created if it does not exist: 1 to 40 lower-case letters, digits and underscores, not beginning with a digit or with
    /// <c>pg_</c>. Apps that share a database need a schema each, because an app claims every job that it finds.
    /// </param>
    /// <exception cref="ArgumentException">The connection string is empty, or the schema may not have this name.</exception>
    public static JobsBuilder UsePostgreSql(this JobsBuilder jobs, string connectionString, string schema = SchemaName.Default)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        ArgumentNullException.ThrowIfNull(schema);
        if (!SchemaName.IsValid(schema)) throw new ArgumentException($"The name of the schema is '{schema}'; it must be {SchemaName.Rule}.", nameof(schema));
        return jobs.UseStore(_ => new PostgreSqlJobStore(connectionString, schema));
    }
}
