namespace PoolApi.Jobs.Stores;

/// <summary>Which bodies a claim brings along, so that it takes one round trip, and never long.</summary>
internal static class BodyLimits
{
    /// <summary>A body up to this length comes with its claim.</summary>
    public const int Inline = 256 * 1024;

    /// <summary>The bodies that come with the claims of one call have this length together at most; others are read after it.</summary>
    public const int InlineTogether = 1024 * 1024;
}
