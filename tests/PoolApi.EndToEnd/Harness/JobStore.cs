namespace PoolApi.EndToEnd.Harness;

/// <summary>Where jobs are kept. What clients are promised is the same.</summary>
public enum JobStore
{
    /// <summary>One instance with a file.</summary>
    Sqlite,

    /// <summary>Several instances with a database.</summary>
    Postgres,
}
