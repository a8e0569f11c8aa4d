using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Sqlite;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>A directory of a test's own with a store's file in it.</summary>
internal sealed class StorePlace : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string Directory => _folder.Path;

    public string File => _folder.File("jobs.db");

    public SqliteJobStore Store(
        int? maxPages = null, IJobStoreListener? listener = null, TimeProvider? time = null, Action<StoreStep, string>? observer = null,
        ILogger<SqliteJobStore>? logger = null) =>
        new(File, time ?? TimeProvider.System, maxPages, observer, logger) { Listener = listener };

    public async Task<SqliteJobStore> OpenAsync(IJobStoreListener? listener = null, int? maxPages = null, TimeProvider? time = null)
    {
        SqliteJobStore store = Store(maxPages, listener, time);
        await store.OpenAsync(Patience.Token);
        return store;
    }

    public void Dispose() => _folder.Dispose();
}
