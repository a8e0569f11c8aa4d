using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core.Stopping;

/// <summary>
/// While a reason is set, a synchronous item that a thread sees on a worker under the gate stays the same submission until that thread leaves the gate.
/// </summary>
/// <remarks>
/// A worker reads the reasons after it has released an item (<see cref="RunningItem{TOps}"/>). If a reason is set, the worker passes the gate before
/// it notifies the item of its end. Only then can the item be submitted again. Without a reason the read costs a worker nothing: the
/// thread that sets one pays for both, with a fence on every thread of the process.
/// </remarks>
internal sealed class ItemPins<TOps>
    where TOps : struct, IAtomicOps
{
    private long _reasons; // PinReason
#pragma warning disable CS0169, IDE0051 // never read: it keeps neighbours off the line, which workers read for each item
    private CacheLinePadding _padding;
#pragma warning restore CS0169, IDE0051

    public PinReason Reasons => (PinReason)TOps.Read(ref _reasons);

    /// <summary>Before the gate is taken.</summary>
    public void Pin(PinReason reason)
    {
        Change(reason, PinReason.None);
        // Pairs with the read in RunningItem: either the worker sees the reason, or this thread sees that the worker has released the item.
        TOps.FenceEveryThread();
    }

    /// <summary>After the gate was left.</summary>
    public void Unpin(PinReason reason) => Change(PinReason.None, reason);

    private void Change(PinReason set, PinReason clear)
    {
        PinReason was;
        do was = Reasons;
        while (TOps.CompareExchange(ref _reasons, (long)((was | set) & ~clear), (long)was) != (long)was);
    }
}

/// <summary>The reasons for pinning items.</summary>
[Flags]
internal enum PinReason : long
{
    None = 0,
    Closing = 1, // the pool is closed, or is just about to be
    RunWatch = 2, // the run watch looks for items that have run too long
}
