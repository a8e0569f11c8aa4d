namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// The pool's lock: held for some tens of nanoseconds, tens of millions of times a second.
/// </summary>
/// <remarks>
/// <code>
///   0 open ──Enter──► 1 held ──a second thread stops spinning─────► 2 held, and a thread may sleep
///     ▲                 │                                             │
///     └─────Exit────────┴──────────────────Exit, and wake one─────────┘
/// </code>
/// <para>The three-state futex lock of Drepper, "Futexes Are Tricky" (2011), with spinning in front. It is unfair on
/// purpose: a thread that comes back at once gets the lock again, with the guarded data still in its cache, while the others
/// back off. Tiny items are fast because of this: passing the lock between threads costs more than the items.</para>
/// <para>A thread that was preempted while holding it makes the others spin for about 3 µs, then yield, then sleep.</para>
/// <para>Why not <see cref="Lock"/>: the interleaving tests must see every step, and a <see cref="Thread.Interrupt"/> must not abort the
/// acquisition, because a step such as counting an item's end must not be skipped.</para>
/// </remarks>
internal static class Gate<TOps>
    where TOps : struct, IAtomicOps
{
    private const int Open = 0;
    private const int Held = 1;
    private const int HeldAndAwaited = 2;

    private const int Spins = 6; // 1, 2, 4, … 32 pauses of 40 ns between the looks: about 3 µs
    private const int Yields = 8;

    public static bool TryEnter(ref int gate) => TOps.CompareExchange(ref gate, Held, Open) == Open;

    public static void Enter(ref int gate)
    {
        if (!TryEnter(ref gate)) EnterContended(ref gate);
    }

    public static void Exit(ref int gate)
    {
        // A read-modify-write, not a store: the same step decides whether a thread sleeps.
        if (TOps.Exchange(ref gate, Open) == HeldAndAwaited) TOps.Wake(ref gate); // fault point: gate-exit
    }

    private static void EnterContended(ref int gate)
    {
        for (int i = 0; i < Spins; i++)
        {
            TOps.Pause(1 << i);
            if (TOps.Read(ref gate) == Open && TryEnter(ref gate)) return; // fault point: gate-spin
        }
        for (int i = 0; i < Yields; i++)
        {
            TOps.Yield();
            if (TOps.Read(ref gate) == Open && TryEnter(ref gate)) return;
        }
        // This thread holds the gate as HeldAndAwaited even if no other thread waits: at worst one wake-up too many, never one too few.
        while (TOps.Exchange(ref gate, HeldAndAwaited) != Open) TOps.Wait(ref gate, HeldAndAwaited); // fault point: gate-wait
    }
}
