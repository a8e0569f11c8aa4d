using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Stopping;

/// <summary>
/// While a reason is set, an item that a thread sees on a worker under the gate stays the same submission until that thread leaves the gate.
/// </summary>
/// <remarks>
/// A worker reads the reasons after it has released an item (<see cref="RunningItem{TOps}"/>). If a reason is set, the worker passes the gate before
/// it notifies the item of its end. Only then can the item be submitted again. Without a reason the read costs a worker nothing: the
/// thread that sets one pays for both, with a fence on every thread of the process.
/// </remarks>
internal sealed class ItemPins<TOps>
    where TOps : struct, IAtomicOps
{
    private int _reasons; // PinReason; changed by compare-and-swap only

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
        while (TOps.CompareExchange(ref _reasons, (int)((was | set) & ~clear), (int)was) != (int)was);
    }
}

/// <summary>The reasons for pinning items.</summary>
[Flags]
internal enum PinReason
{
    None = 0,
    Closing = 1, // the pool is closed, or is just about to be
    Looking = 2, // the run watch looks for items that have run too long
}
