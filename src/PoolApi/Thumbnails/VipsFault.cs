namespace PoolApi.Thumbnails;

/// <summary>Decides by libvips' message whether a failure is the image's fault or the service's.</summary>
internal static class VipsFault
{
    // Messages of libvips and its decoders about a lack of memory, threads or files.
    private static readonly string[] Ours =
        ["out of memory", "insufficient memory", "cannot allocate memory", "memory allocation error", "unable to write to", "unable to create thread"];

    /// <summary>Whether memory, a thread or disk space was lacking.</summary>
    /// <remarks>
    /// libvips has one buffer of messages for the whole process, so it may contain messages of other calls. Then a corrupt image is reported as a fault of
    /// the service, which is better than the reverse. Some messages about memory are the image's fault: libtiff's about a tag that declares more than is
    /// possible, and libheif's about an item beyond its limits.
    /// </remarks>
    /// <param name="message">libvips' messages, one a line.</param>
    public static bool IsOurs(string message) => Array.Exists(
        message.Split('\n'),
        static line => !line.StartsWith("tiff2vips:", StringComparison.Ordinal)
            && !line.Contains("security limit", StringComparison.OrdinalIgnoreCase)
            && Array.Exists(Ours, fault => line.Contains(fault, StringComparison.OrdinalIgnoreCase)));
}
