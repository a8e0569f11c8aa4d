using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// One word that a submitter reads after its push: the reasons why it must take the gate. 0 in the common case: then submitting
/// costs no lock and reads no cache line that workers write.
/// </summary>
/// <remarks>
/// Each bit has one writer, under the gate: <see cref="IdleWorkers{TOps}"/> and <see cref="TimerArming{TOps}"/>. A copy of
/// this struct is the same word.
/// </remarks>
internal readonly struct SubmitterFlags<TOps>
    where TOps : struct, IAtomicOps
{
    public const int WakeWorker = 1; // a worker sleeps, and none searches
    public const int SetTimer = 2; // there is a common limit on queue time, and the timer is not set

    private readonly CacheLines _lines = new(1);

    public SubmitterFlags()
    {
    }

    /// <summary>Read after the push, which is a full fence: pairs with the fences in Rest, EndSearch and Fired, after they have set a bit.</summary>
    public bool IsWanted => TOps.Read(ref Word) != 0;

    private ref int Word => ref _lines.Int(0);

    /// <summary>
    /// Sets or clears a bit. Submitters may see the store late: a caller that relies on it passes a fence before it
    /// looks for pushed items.
    /// </summary>
    public void Set(int bit, bool isWanted)
    {
        int was = TOps.Read(ref Word);
        int word = isWanted ? was | bit : was & ~bit;
        if (word != was) TOps.Write(ref Word, word); // only on a change, since submitters have the line in their caches
    }
}
