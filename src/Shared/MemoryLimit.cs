using System.Globalization;

namespace PoolApi;

/// <summary>The default size of a budget of bytes: its share of the memory that the process may use.</summary>
/// <remarks>
/// In an app with one pool, three budgets have a share each: bodies of queued requests, responses that clients have not read yet, and
/// bodies and results of claimed jobs. The rest is for the bodies of running requests and for everything else.
/// </remarks>
internal static class MemoryLimit
{
    private const int Parts = 4;

    /// <summary>The share of one budget.</summary>
    /// <param name="most">The most that it is, however much memory there is.</param>
    public static long Share(long most) => Share(most, Bytes);

    /// <summary>The share of one budget, of a given limit.</summary>
    public static long Share(long most, long limit) => Math.Clamp(limit / Parts, 1, most);

    /// <summary>The same rule in words, to follow "the default is".</summary>
    public static string Words(long most) =>
        string.Create(CultureInfo.InvariantCulture, $"a quarter of the memory that the runtime may use, at most {most}");

    /// <summary>
    /// What the runtime may use: GCHeapHardLimit if that is set, three quarters of the container's limit, or else the memory of the machine.
    /// </summary>
    private static long Bytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
