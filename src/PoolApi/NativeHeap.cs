using System.Runtime.InteropServices;

namespace PoolApi;

/// <summary>
/// Limits how many heaps glibc keeps. By default each thread that decodes images gets one of its own, up to eight for each core, and
/// keeps in it what it has freed.
/// </summary>
internal static partial class NativeHeap
{
    private const int MaxArenasParameter = -8;
    private const int MaxArenas = 2;

    /// <summary>To be called before other native threads allocate. Does nothing where the C library is not glibc.</summary>
    public static void LimitArenas()
    {
        // Whoever set glibc's own variable has decided.
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable("MALLOC_ARENA_MAX") is not null)
            return;
        try
        {
            _ = SetMallocOption(MaxArenasParameter, MaxArenas);
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            // musl: its heap has no arenas.
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetMallocOption(int parameter, int value);
}
