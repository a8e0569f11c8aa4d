[assembly: AssemblyFixture(typeof(SharedPostgres))]

namespace PoolApi.EndToEnd.Harness.Servers;

/// <summary>One PostgreSQL server for all tests that do not stop it or cut its network. The first test starts it. Each has its own
/// database.</summary>
public sealed class SharedPostgres : IAsyncDisposable
{
    private readonly Lazy<Task<PostgresServer>> _server = new(PostgresServer.StartNewAsync);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_server is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            await (await _server.Value).DisposeAsync();
    }

    /// <summary>Creates an empty database and returns its connection string.</summary>
    internal async Task<string> NewDatabaseAsync() => await (await _server.Value).NewDatabaseAsync();
}
