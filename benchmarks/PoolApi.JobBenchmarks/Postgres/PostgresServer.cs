using System.Globalization;
using Npgsql;
using PoolApi.JobBenchmarks.Stores;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>A PostgreSQL server: the one that --connection names, or a new cluster with default settings.</summary>
internal sealed class PostgresServer : IDisposable
{
    private static readonly HashSet<PostgresServer> Running = [];

    private readonly NpgsqlConnectionStringBuilder _connection;
    private readonly PostgresCluster? _cluster;
    private int _databases;

    private PostgresServer(NpgsqlConnectionStringBuilder connection, PostgresCluster? cluster)
    {
        _connection = connection;
        _cluster = cluster;
        lock (Running) Running.Add(this);
    }

    public static PostgresServer Start(Settings settings)
    {
        if (settings.Connection is { } given) return new PostgresServer(new NpgsqlConnectionStringBuilder(given), null);
        var cluster = new PostgresCluster(new DataFolder(settings), FreePort.Next());
        try
        {
            cluster.Start();
            return new PostgresServer(
                new NpgsqlConnectionStringBuilder
                {
                    Host = "127.0.0.1",
                    Port = cluster.Port,
                    Username = PostgresCluster.User,
                    Database = PostgresCluster.User,
                },
                cluster);
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }

    /// <summary>Called when the program ends during a measurement.</summary>
    public static void StopAll()
    {
        lock (Running)
        {
            foreach (PostgresServer server in Running.ToArray()) server.Dispose();
        }
    }

    /// <summary>A new database.</summary>
    public async Task<PostgresDatabase> CreateDatabaseAsync()
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"poolapi_bench_{Environment.ProcessId}_{++_databases}");
        await ExecuteAsync($"CREATE DATABASE {name}");
        return new PostgresDatabase(this, name, new NpgsqlConnectionStringBuilder(_connection.ConnectionString) { Database = name }.ConnectionString);
    }

    public async Task ExecuteAsync(string sql)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(_connection);
        await using NpgsqlCommand command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public void Dispose()
    {
        lock (Running)
        {
            if (!Running.Remove(this)) return;
        }
        _cluster?.Dispose();
    }
}
