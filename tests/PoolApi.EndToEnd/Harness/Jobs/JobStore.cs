namespace PoolApi.EndToEnd.Harness.Jobs;

/// <summary>Where jobs are stored. Clients get the same guarantees from each store.</summary>
public enum JobStore
{
    /// <summary>One instance with a file.</summary>
    Sqlite,

    /// <summary>Several instances with a database.</summary>
    Postgres,
}
