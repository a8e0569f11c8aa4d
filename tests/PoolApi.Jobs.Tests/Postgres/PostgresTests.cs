namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>The tests that share one PostgreSQL, each in a schema of its own.</summary>
[CollectionDefinition(Name)]
public sealed class PostgresTests : ICollectionFixture<PostgresCluster>
{
    public const string Name = "PostgreSQL";

    /// <summary>How long a busy machine may take to connect. The 3 s that an instance has are tested with the outages.</summary>
    public const int ConnectSeconds = 60;

    /// <summary>A name for a schema that no other test has.</summary>
    public static string NewSchema() => $"t_{Guid.NewGuid():N}";
}

/// <summary>
/// The tests of faults and limits. They share a second PostgreSQL: most of their time they wait for a timeout, while the tests of the
/// first one compute.
/// </summary>
[CollectionDefinition(Name)]
public sealed class PostgresTimeoutTests : ICollectionFixture<PostgresCluster>
{
    public const string Name = "PostgreSQL, timeouts";
}
