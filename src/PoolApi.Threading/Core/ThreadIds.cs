using System.Globalization;

namespace PoolApi.Threading.Core;

/// <summary>The operating system's ids of threads, by which /proc/self/task knows them.</summary>
internal static class ThreadIds
{
    /// <summary>Of the calling thread; 0: unknown.</summary>
    public static int OfCurrent()
    {
        if (!OperatingSystem.IsLinux()) return 0;
        try
        {
            // "{process}/task/{thread}". A link, and not gettid(), which not every C library has.
            return new FileInfo("/proc/thread-self").LinkTarget is { } target
                && int.TryParse(target.AsSpan(target.LastIndexOf('/') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0; // /proc is not there, or not for us
        }
    }
}
