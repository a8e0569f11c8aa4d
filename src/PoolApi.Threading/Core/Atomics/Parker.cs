namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// One thread's sleep, on a word of its own. A permit: Unpark before Park makes the next Park return at once, so a wake-up
/// cannot fall between deciding to sleep and sleeping.
/// </summary>
/// <remarks>
/// <code>
///   0 empty ──Park──► −1 parked ──Unpark, wakes──► 1 permit ──Park returns──► 0 empty
///      └──────────────Unpark, no thread to wake───────▲
/// </code>
/// The protocol of Rust's futex parker. No time limit: a parked thread uses no CPU.
/// </remarks>
internal static class Parker<TOps>
    where TOps : struct, IAtomicOps
{
    private const int Empty = 0;
    private const int Permit = 1;
    private const int Parked = -1;

    public static void Park(ref int word)
    {
        if (TOps.CompareExchange(ref word, Parked, Empty) == Permit)
        {
            TOps.Exchange(ref word, Empty);
            return;
        }
        do
        {
            TOps.Wait(ref word, Parked); // may return spuriously
        }
        while (TOps.CompareExchange(ref word, Empty, Permit) != Permit); // fault point: park-until
    }

    public static void Unpark(ref int word)
    {
        if (TOps.Exchange(ref word, Permit) == Parked) TOps.Wake(ref word); // fault point: unpark
    }
}
