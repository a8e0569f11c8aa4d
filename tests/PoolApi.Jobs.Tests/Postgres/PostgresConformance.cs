using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using PoolApi.Jobs.Tests.Conformance;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>The tests of every store's contract, on the PostgreSQL store.</summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class PostgresConformance(PostgresCluster cluster) : JobStoreConformance
{
    private readonly string _schema = PostgresTests.NewSchema();

    private protected override async Task<IJobStore> OpenAsync(IJobStoreListener? listener = null)
    {
        PostgresCluster.Require();
        var store = new PostgreSqlJobStore(cluster.ConnectionString, _schema, PostgresTests.Patient) { Listener = listener };
        await store.OpenAsync(Patience.Token);
        return store;
    }

    private protected override Task<IJobStore> OpenAnotherAsync(IJobStoreListener? listener = null) => OpenAsync(listener);
}
