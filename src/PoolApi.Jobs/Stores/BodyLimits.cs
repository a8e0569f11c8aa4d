namespace PoolApi.Jobs.Stores;

/// <summary>The limits of the bodies that a claim includes, and of a result that one query reads, so that each is one short round trip.</summary>
internal static class BodyLimits
{
    /// <summary>The largest body that a claim includes, in bytes.</summary>
    public const int Inline = 256 * 1024;

    /// <summary>The most bytes of bodies that one call includes. Other bodies are read after it.</summary>
    public const int InlineTogether = 1024 * 1024;
}
