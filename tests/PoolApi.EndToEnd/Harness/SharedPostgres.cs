[assembly: AssemblyFixture(typeof(SharedPostgres))]

namespace PoolApi.EndToEnd.Harness;

/// <summary>One PostgreSQL for all tests that leave it alone, each with a database of its own. Started when first asked for.</summary>
public sealed class SharedPostgres : IAsyncDisposable
{
    private readonly Lazy<Task<PostgresServer>> _server = new(PostgresServer.StartNewAsync);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_server is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            await (await _server.Value).DisposeAsync();
    }

    /// <summary>An empty database; how to reach it.</summary>
    internal async Task<string> NewDatabaseAsync() => await (await _server.Value).NewDatabaseAsync();
}
