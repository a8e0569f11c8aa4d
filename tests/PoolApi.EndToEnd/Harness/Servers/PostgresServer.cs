using Npgsql;

namespace PoolApi.EndToEnd.Harness.Servers;

/// <summary>A PostgreSQL server for tests, with any number of empty databases. A test can kill it and start it again, or cut its
/// network.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private readonly PostgresCluster _cluster = new();
    private NetworkCut? _cut;

    /// <summary>Creates a server and starts it.</summary>
    public static async Task<PostgresServer> StartNewAsync()
    {
        PostgresCluster.Require();
        var server = new PostgresServer();
        try
        {
            await server._cluster.InitializeAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        string name = "d" + Guid.NewGuid().ToString("N");
        await using var connection = new NpgsqlConnection(_cluster.ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"create database {name}", connection);
        await command.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(_cluster.ConnectionString) { Database = name }.ConnectionString;
    }

    /// <summary>kill -9 of the server and of all its processes.</summary>
    public Task KillAsync() => _cluster.KillAsync();

    /// <summary>Starts it again.</summary>
    public Task StartAsync() => _cluster.StartAsync();

    /// <summary>From now on the kernel drops all packets in both directions, and reports no error.</summary>
    public async Task CutOffAsync() =>
        _cut = await NetworkCut.MakeAsync(["-p", "tcp", "--dport", $"{_cluster.Port}"], ["-p", "tcp", "--sport", $"{_cluster.Port}"]);

    /// <summary>Ends the cut of the network.</summary>
    public async Task ReconnectAsync()
    {
        if (_cut is null)
            return;
        await _cut.DisposeAsync();
        _cut = null;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await ReconnectAsync();
        await _cluster.DisposeAsync();
    }
}
