using Npgsql;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>A database for one measurement, which is dropped after it.</summary>
/// <param name="server">Where it is.</param>
/// <param name="name">Its name.</param>
/// <param name="connectionString">How it is reached.</param>
internal sealed class PostgresDatabase(PostgresServer server, string name, string connectionString) : IAsyncDisposable
{
    public string ConnectionString => connectionString;

    /// <summary>Does what the autovacuum would do within minutes, and writes what is dirty: not in the middle of a measurement.</summary>
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
