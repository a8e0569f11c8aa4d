using System.Globalization;

namespace PoolApi.Threading.Core;

/// <summary>Reads the operating system's ids of threads, as in /proc/self/task.</summary>
internal static class ThreadIds
{
    /// <summary>The id of the calling thread; 0 if it is unknown.</summary>
    public static int OfCurrent()
    {
        if (!OperatingSystem.IsLinux()) return 0;
        try
        {
            // The target of the link is "{process}/task/{thread}". Not every C library has gettid().
            return new FileInfo("/proc/thread-self").LinkTarget is { } target
                && int.TryParse(target.AsSpan(target.LastIndexOf('/') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0; // /proc is missing or not accessible
        }
    }
}
