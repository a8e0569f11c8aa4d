using PoolApi.Jobs.PostgreSql;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>The tests that share one PostgreSQL, each in a schema of its own.</summary>
[CollectionDefinition(Name)]
public sealed class PostgresTests : ICollectionFixture<PostgresCluster>
{
    public const string Name = "PostgreSQL";

    /// <summary>
    /// The limits of a store whose test has nothing to do with time limits: a busy machine exceeds any of the defaults.
    /// </summary>
    internal static readonly DatabaseLimits Patient = DatabaseLimits.Default.Times(60);

    /// <summary>The limits of a store whose test waits until they are exceeded: the defaults, or longer on a busy machine.</summary>
    internal static DatabaseLimits Stretched => DatabaseLimits.Default.Times(MachineLoad.Factor);

    /// <summary>A name for a schema that no other test has.</summary>
    public static string NewSchema() => $"t_{Guid.NewGuid():N}";
}

/// <summary>
/// The tests of faults and limits. They share a second PostgreSQL, so that they run beside the tests of the first one: they mostly wait for
/// timeouts, while those compute.
/// </summary>
[CollectionDefinition(Name)]
public sealed class PostgresTimeoutTests : ICollectionFixture<PostgresCluster>
{
    public const string Name = "PostgreSQL, timeouts";
}
