namespace PoolApi.Thumbnails;

/// <summary>Tells by the words of libvips whether a failure is the image's fault or ours.</summary>
internal static class VipsFault
{
    // What libvips and its decoders say when memory, threads or files run out.
    private static readonly string[] Ours =
        ["out of memory", "insufficient memory", "cannot allocate memory", "memory allocation error", "unable to write to", "unable to create thread"];

    /// <summary>Whether memory, a thread or a place for a file was lacking.</summary>
    /// <remarks>
    /// libvips has one buffer of messages for the whole process, so the words of another call may be among them. Better to blame us
    /// for a corrupt image than to call an image corrupt that is not. Not so where a file claims a size: libtiff says that it is out of
    /// memory when a tag claims more than there can be, libheif when an item is beyond its limits.
    /// </remarks>
    /// <param name="message">What libvips says, line by line.</param>
    public static bool IsOurs(string message) => Array.Exists(
        message.Split('\n'),
        static line => !line.StartsWith("tiff2vips:", StringComparison.Ordinal)
            && !line.Contains("security limit", StringComparison.OrdinalIgnoreCase)
            && Array.Exists(Ours, fault => line.Contains(fault, StringComparison.OrdinalIgnoreCase)));
}
