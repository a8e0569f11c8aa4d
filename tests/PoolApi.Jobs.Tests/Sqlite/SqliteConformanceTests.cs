using PoolApi.Jobs.Stores;
using PoolApi.Jobs.Tests.Conformance;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>The tests of every store's contract, on the SQLite store.</summary>
[Trait("Category", "Slow")]
public sealed class SqliteConformanceTests : JobStoreConformance, IDisposable
{
    private readonly StorePlace _place = new();

    public void Dispose() => _place.Dispose();

    private protected override PassingClock Clock { get; } = new();

    private protected override async Task<IJobStore> OpenAsync(IJobStoreListener? listener = null) => await _place.OpenAsync(listener, time: Clock);

    private protected override Task<IJobStore> OpenAnotherAsync(IJobStoreListener? listener = null) => OpenAsync(listener);
}
