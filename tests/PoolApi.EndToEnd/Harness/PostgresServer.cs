using System.Diagnostics;
using Npgsql;

namespace PoolApi.EndToEnd.Harness;

/// <summary>A PostgreSQL of one's own, with as many empty databases as are wanted; it can be killed and started again, and be cut
/// off by the network.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private readonly PostgresCluster _cluster = new();
    private string? _iptables;

    /// <summary>Makes one and starts it.</summary>
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

    /// <summary>An empty database; how to reach it.</summary>
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

    /// <summary>From now on no packet comes through, in neither direction, and nobody is told so.</summary>
    public async Task CutOffAsync()
    {
        string iptables = Tool.Find("iptables") ?? Tool.RequireFile("/usr/sbin/iptables", "apt-get install iptables");
        foreach (string[] rule in Rules("-I"))
        {
            var run = await ProgramRun.ToEndAsync(new ProcessStartInfo(iptables, rule), Patience.Long);
            if (run.ExitCode != 0)
                Tool.Missing("The right to cut a network", "run as root; iptables said: " + run.Text);
            _iptables = iptables;
        }
    }

    /// <summary>Packets come through again.</summary>
    public async Task ReconnectAsync()
    {
        if (_iptables is null)
            return;
        foreach (string[] rule in Rules("-D"))
            await ProgramRun.ToEndAsync(new ProcessStartInfo(_iptables, rule), Patience.Long);
        _iptables = null;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await ReconnectAsync();
        await _cluster.DisposeAsync();
    }

    private string[][] Rules(string action) =>
    [
        ["-w", action, "INPUT", "-p", "tcp", "--dport", $"{_cluster.Port}", "-j", "DROP"],
        ["-w", action, "INPUT", "-p", "tcp", "--sport", $"{_cluster.Port}", "-j", "DROP"],
    ];
}
