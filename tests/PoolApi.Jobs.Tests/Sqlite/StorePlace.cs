using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Sqlite;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>A directory of a test's own with a store's file in it.</summary>
internal sealed class StorePlace : IDisposable
{
    private readonly TemporaryFolder? _folder;

    /// <param name="directory">The directory, which the test deletes; null: a temporary one.</param>
    public StorePlace(string? directory = null)
    {
        if (directory is null) _folder = new TemporaryFolder();
        Directory = directory ?? _folder!.Path;
    }

    public string Directory { get; }

    public string File => Path.Combine(Directory, "jobs.db");

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

    public void Dispose() => _folder?.Dispose();
}
