using System.Runtime.InteropServices;

namespace PoolApi;

/// <summary>
/// Has glibc give back what decoders free. By default each thread that decodes images gets a heap of its own, up to eight for each
/// core. The first large block that is freed raises the size from which blocks are mapped apart, up to 32 MiB: from then on the rows
/// of an image are cut out of the heaps, and small blocks between them keep hundreds of megabytes.
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

    /// <summary>
    /// To be called before other native threads allocate. Does nothing where the C library is not glibc, and leaves alone what an
    /// environment variable of glibc sets.
    /// </summary>
    public static void Limit()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            Set(MaxArenasParameter, MaxArenas, "MALLOC_ARENA_MAX");
            Set(MapThresholdParameter, MapThreshold, "MALLOC_MMAP_THRESHOLD_");
            Set(TrimThresholdParameter, TrimThreshold, "MALLOC_TRIM_THRESHOLD_");
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // musl: its heap has neither.
        }
    }

    private static void Set(int parameter, int value, string variable)
    {
        if (Environment.GetEnvironmentVariable(variable) is null) _ = SetMallocOption(parameter, value);
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetMallocOption(int parameter, int value);
}
