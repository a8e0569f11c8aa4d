using PoolApi.JobBenchmarks.Postgres;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using PoolApi.Jobs.Sqlite;

namespace PoolApi.JobBenchmarks.Stores;

/// <summary>Makes new stores of one kind.</summary>
/// <param name="Name">Its name in the tables.</param>
/// <param name="OpenNewAsync">Makes one, in a place of its own.</param>
internal sealed record StoreKind(string Name, Func<Task<NewStore>> OpenNewAsync)
{
    public static StoreKind Sqlite(Settings settings) => new("SQLite", async () =>
    {
        var folder = new DataFolder(settings);
        var store = new SqliteJobStore(folder.File("jobs.db"), TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        return new NewStore(store, static () => Task.CompletedTask, () =>
        {
            folder.Dispose();
            return ValueTask.CompletedTask;
        });
    });

    public static StoreKind Postgres(PostgresServer server) => new("PostgreSQL", async () =>
    {
        PostgresDatabase database = await server.CreateDatabaseAsync();
        var store = new PostgreSqlJobStore(database.ConnectionString);
        await store.OpenAsync(CancellationToken.None);
        return new NewStore(store, database.SettleAsync, database.DisposeAsync);
    });
}

/// <summary>A store that was empty when it was made, and is deleted with all that is in it.</summary>
/// <param name="store">The store.</param>
/// <param name="settle">Does the work that the database would do later by itself after many changes.</param>
/// <param name="delete">Deletes what it has left.</param>
internal sealed class NewStore(IJobStore store, Func<Task> settle, Func<ValueTask> delete) : IAsyncDisposable
{
    public IJobStore Store => store;

    public Task SettleAsync() => settle();

    public async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        await delete();
    }
}
