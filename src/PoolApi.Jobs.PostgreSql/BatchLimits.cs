namespace PoolApi.Jobs.PostgreSql;

/// <summary>The limits of what one statement writes.</summary>
internal static class BatchLimits
{
    /// <summary>The most bytes of bodies in one statement. A larger body is written alone, with more time.</summary>
    public const long MostBytes = 1024 * 1024;
}
