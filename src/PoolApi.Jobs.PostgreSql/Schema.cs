using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Upgrades the tables. Migrations go forward only. A released migration is never changed.</summary>
/// <remarks>
/// All missing migrations run in one transaction, under an advisory lock. If several instances start concurrently, one migrates and the others wait.
/// </remarks>
internal static class Schema
{
    private const int OldestServer = 15;

    /// <summary>The timeout of a migration.</summary>
    private const int MigrationSeconds = 3600;

    private static readonly Func<string, string>[] Migrations = [Migration1.Sql, Migration2.Sql, Migration3.Sql, Migration4.Sql];

    /// <summary>Upgrades the schema to the latest version.</summary>
    /// <exception cref="JobStoreException">The server is too old, or the schema too new.</exception>
    /// <exception cref="NpgsqlException">The server has returned an error.</exception>
    public static Task MigrateAsync(NpgsqlConnection connection, string schema, CancellationToken cancellation) =>
        MigrateAsync(connection, schema, Migrations.Length, cancellation);

    /// <summary>Upgrades the schema to a version, for tests of the following migrations.</summary>
    internal static async Task MigrateAsync(NpgsqlConnection connection, string schema, int to, CancellationToken cancellation)
    {
        if (connection.PostgreSqlVersion.Major < OldestServer)
            throw new JobStoreException($"The server is PostgreSQL {connection.PostgreSqlVersion}; jobs need {OldestServer} or newer.");
        if (await VersionAsync(connection, schema, cancellation) >= to) return;

        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellation);
        await ExecuteAsync(
            connection,
            $"set local statement_timeout = 0; select pg_advisory_xact_lock(hashtextextended('poolapi.jobs {schema}', 0))", cancellation);
        string quoted = SchemaName.Quoted(schema);
        int version = await VersionAsync(connection, schema, cancellation);
        if (version == 0)
        {
            // Not "if not exists", which requires the right to create a schema even if it exists.
            if (!await ExistsAsync(connection, schema, cancellation)) await ExecuteAsync(connection, $"create schema {quoted}", cancellation);
            await ExecuteAsync(
                connection,
                $"create table {quoted}.schema_version (version int primary key, applied_at timestamptz not null default now())", cancellation);
        }
        for (; version < to; version++)
        {
            await ExecuteAsync(connection, Migrations[version](quoted), cancellation);
            await ExecuteAsync(connection, $"insert into {quoted}.schema_version (version) values ({version + 1})", cancellation);
        }
        await transaction.CommitAsync(cancellation);
    }

    private static async Task<int> VersionAsync(NpgsqlConnection connection, string schema, CancellationToken cancellation)
    {
        // Read from the catalog, because the session caches the result of to_regclass from before it waited for the lock.
        await using var exists = new NpgsqlCommand(
            """
            select exists (
              select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where n.nspname = $1 and c.relname = 'schema_version')
            """,
            connection);
        exists.Parameters.With(NpgsqlDbType.Text, schema);
        if (await exists.ExecuteScalarAsync(cancellation) is not true) return 0;
        await using var command = new NpgsqlCommand($"select coalesce(max(version), 0) from {SchemaName.Quoted(schema)}.schema_version", connection);
        int version = (int)(await command.ExecuteScalarAsync(cancellation))!;
        return version <= Migrations.Length
            ? version
            : throw new JobStoreException(
                $"The schema '{schema}' of the database is of version {version}; this program knows up to {Migrations.Length}. "
                + "A newer program has been here: start that one, or give this one a schema or a database of its own (Jobs:Schema, Jobs:ConnectionString).");
    }

    private static async Task<bool> ExistsAsync(NpgsqlConnection connection, string schema, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("select exists (select from pg_namespace where nspname = $1)", connection);
        command.Parameters.With(NpgsqlDbType.Text, schema);
        return await command.ExecuteScalarAsync(cancellation) is true;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = MigrationSeconds };
        await command.ExecuteNonQueryAsync(cancellation);
    }
}
