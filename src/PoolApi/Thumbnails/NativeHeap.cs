using System.Runtime.InteropServices;

namespace PoolApi.Thumbnails;

/// <summary>
/// Makes glibc return memory that decoders have freed to the system. By default each thread that decodes images gets a heap of its own, up to
/// eight for each core. The first large block that is freed raises the size from which blocks are mapped separately, up to 32 MiB. From then
/// on the rows of an image are allocated in the heaps, and small blocks between them keep hundreds of megabytes from being returned.
/// </summary>
internal static partial class NativeHeap
{
    private const int TrimThresholdParameter = -1;
    private const int MapThresholdParameter = -3;
    private const int MaxArenasParameter = -8;

    private const int MaxArenas = 2;

    // From this size on a block is mapped by itself, and unmapped when it is freed.
    private const int MapThreshold = 512 * 1024;

    // What a heap may keep free at its end.
    private const int TrimThreshold = 4 * 1024 * 1024;

    // After this many bytes of decoded pixels, a trim is worth the milliseconds that it takes.
    private const long TrimAfter = 64 * 1024 * 1024;

    private static bool s_isGlibc;
    private static long s_decoded; // bytes of pixels since the last trim

    /// <summary>
    /// To be called before other native threads allocate. Does nothing where the C library is not glibc, and leaves alone what an
    /// environment variable of glibc sets.
    /// </summary>
    public static void Limit()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            Set(MaxArenasParameter, MaxArenas, "MALLOC_ARENA_MAX", "arena_max");
            Set(MapThresholdParameter, MapThreshold, "MALLOC_MMAP_THRESHOLD_", "mmap_threshold");
            Set(TrimThresholdParameter, TrimThreshold, "MALLOC_TRIM_THRESHOLD_", "trim_threshold");
            s_isGlibc = true;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // musl has neither mallopt nor malloc_trim.
        }
    }

    /// <summary>
    /// To be called when a decoder has freed so many bytes of pixels. Now and then it makes the heaps return the free pages between blocks in
    /// use: by themselves they return only what is free at their ends. Thread-safe. A trim takes one to a few milliseconds.
    /// </summary>
    public static void Freed(long bytes)
    {
        if (!s_isGlibc || Interlocked.Add(ref s_decoded, bytes) < TrimAfter) return;
        // Of several threads that reach the limit, one trims.
        if (Interlocked.Exchange(ref s_decoded, 0) >= TrimAfter) _ = Trim(0);
    }

    /// <summary>Whether the environment sets a parameter: by its own variable, or in the list of <c>GLIBC_TUNABLES</c>.</summary>
    internal static bool IsSet(string? variable, string? tunables, string tunable) => variable is not null
        || tunables?.Split(':').Any(one => one.StartsWith($"glibc.malloc.{tunable}=", StringComparison.Ordinal)) == true;

    private static void Set(int parameter, int value, string variable, string tunable)
    {
        // mallopt would override the environment.
        if (!IsSet(Environment.GetEnvironmentVariable(variable), Environment.GetEnvironmentVariable("GLIBC_TUNABLES"), tunable))
            _ = SetMallocOption(parameter, value);
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetMallocOption(int parameter, int value);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);
}
