namespace PoolApi.Threading.Core.Calls;

/// <summary>
/// A bounded cache of objects of one type for reuse: one for each thread, and a few that all threads share. It never waits: an object
/// that does not fit is left to the garbage collector.
/// </summary>
internal static class CallCache<T>
    where T : class
{
    private const int Shared = 64;

    private static readonly T?[] Slots = new T?[Shared];

    [ThreadStatic]
    private static T? s_mine;

    public static T? TryTake()
    {
        T? taken = s_mine;
        if (taken is not null)
        {
            s_mine = null;
            return taken;
        }
        int start = Thread.GetCurrentProcessorId();
        for (int i = 0; i < Shared; i++)
        {
            ref T? slot = ref Slots[(start + i) % Shared];
            if (Volatile.Read(ref slot) is not null && Interlocked.Exchange(ref slot, null) is { } found) return found;
        }
        return null;
    }

    public static void Give(T spent)
    {
        if (s_mine is null)
        {
            s_mine = spent;
            return;
        }
        int start = Thread.GetCurrentProcessorId();
        for (int i = 0; i < Shared; i++)
        {
            ref T? slot = ref Slots[(start + i) % Shared];
            if (Volatile.Read(ref slot) is null && Interlocked.CompareExchange(ref slot, spent, null) is null) return;
        }
    }
}
