using Npgsql;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>A database for one measurement, which is dropped after it.</summary>
/// <param name="server">Its server.</param>
/// <param name="name">Its name.</param>
/// <param name="connectionString">How it is reached.</param>
internal sealed class PostgresDatabase(PostgresServer server, string name, string connectionString) : IAsyncDisposable
{
    public string ConnectionString => connectionString;

    /// <summary>Does the work of the autovacuum and of the next checkpoint now, so that they do not run during a measurement.</summary>
    public async Task SettleAsync()
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(connectionString);
        foreach (string sql in new[] { "VACUUM ANALYZE", "CHECKPOINT" })
        {
            await using NpgsqlCommand command = source.CreateCommand(sql);
            command.CommandTimeout = 0;
            await command.ExecuteNonQueryAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await server.ExecuteAsync($"DROP DATABASE {name} WITH (FORCE)");
    }
}
