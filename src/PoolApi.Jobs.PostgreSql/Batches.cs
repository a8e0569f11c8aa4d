namespace PoolApi.Jobs.PostgreSql;

/// <summary>How much one statement writes.</summary>
internal static class Batches
{
    /// <summary>How many bytes of bodies it takes along; a larger one goes alone, with more time.</summary>
    public const long MostBytes = 1024 * 1024;
}
