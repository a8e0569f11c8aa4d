using PoolApi.Jobs.PostgreSql;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>The tests that share one PostgreSQL, each in a schema of its own.</summary>
[CollectionDefinition(Name)]
public sealed class PostgresTests : ICollectionFixture<PostgresCluster>
{
    public const string Name = "PostgreSQL";

    /// <summary>
    /// The limits of a store whose test has nothing to do with limits on time: a busy machine exceeds any of the defaults. They are tested with
    /// the outages.
    /// </summary>
    internal static readonly DatabaseLimits Patient = new(ConnectSeconds: 60, CommandSeconds: 180, StatementSeconds: 180, MorePatience: Patience.Long);

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
