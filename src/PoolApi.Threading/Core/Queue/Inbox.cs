using System.Runtime.CompilerServices;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// Where submitters leave their items: a stack that grows by one compare-and-swap and is taken whole, and the count of
/// the reserved places, those of continuations included. No submitter ever waits for another, or for a worker.
/// </summary>
/// <remarks>
/// <para>It is simple because it is taken whole: without a single pop there is no ABA problem, and the taker pays for the
/// transfer of the cache line once for a whole batch (Treiber 1986; the drain-all variant is common in the field).</para>
/// <para><b>Closing</b> swaps a mark into the stack's head. This one step orders it with every push: an item that was pushed before
/// is in the chain that the swap returns, and a later submitter finds the mark and is refused.</para>
/// </remarks>
internal sealed class Inbox<TOps>
    where TOps : struct, IAtomicOps
{
    private static readonly object Closed = new();

    // Written by submitters only, so on one line, away from what workers write.
    private object? _newest; // the chain's last pushed item, linked to the older by Previous; or the mark Closed
    private long _reserved; // places ever reserved, less those given back unused
    private long _releasedSeen; // the number of places that were known to be free again at the last count
#pragma warning disable CS0169, IDE0051 // never read: it keeps neighbours off the line
    private CacheLinePadding _padding;
#pragma warning restore CS0169, IDE0051

    public bool IsClosed => ReferenceEquals(TOps.Read(ref _newest), Closed);

    public bool HasItems => TOps.Read(ref _newest) is { } newest && !ReferenceEquals(newest, Closed);

    public long Reserved => TOps.Read(ref _reserved);

    /// <summary>
    /// Reserves places for up to <paramref name="wanted"/> items in one step. Unless <paramref name="recount"/> must be
    /// called, it reads no cache line that workers write.
    /// </summary>
    /// <param name="wanted">The number of places, 1 or more.</param>
    /// <param name="limit">The number of places that exist.</param>
    /// <param name="recount">Counts the places that were ever freed.</param>
    /// <param name="last">The number of the last place.</param>
    /// <returns>The number of reserved places, which may be 0.</returns>
    public int Reserve<TCount>(int wanted, int limit, TCount recount, out long last)
        where TCount : IReleasedCount
    {
        long reserved = TOps.Read(ref _reserved);
        long released = TOps.Read(ref _releasedSeen);
        bool counted = false;
        while (true)
        {
            long room = limit - (reserved - released); // fault point: inbox-own-count
            if (room < wanted && !counted)
            {
                // Racy: an older count may overwrite a newer one. That costs another count; this thread uses its own.
                TOps.Write(ref _releasedSeen, released = recount.CountReleased());
                counted = true;
                continue;
            }
            int got = (int)Math.Min(wanted, Math.Max(0, room));
            last = reserved + got;
            if (got == 0) return 0;
            long was = TOps.CompareExchange(ref _reserved, last, reserved);
            if (was == reserved) return got; // fault point: reserve-step
            TOps.Pause(1);
            reserved = was;
            // Another thread may have reserved a place and freed it meanwhile, so "full" needs a new count.
            counted = false; // fault point: reserve-count-again
        }
    }

    /// <summary>Reserves a place past the limit, for work that belongs to an accepted item.</summary>
    public void ReserveBeyondLimit() => TOps.Add(ref _reserved, 1);

    public void GiveBack(int places) => TOps.Add(ref _reserved, -places);

    /// <summary>Adds a chain of items, linked by Previous from newest to oldest.</summary>
    /// <returns><see langword="false"/> if the pool is closed. Then nothing was added.</returns>
    public bool TryPush(PoolWorkItem oldest, PoolWorkItem newest)
    {
        object? head = TOps.Read(ref _newest);
        while (!ReferenceEquals(head, Closed))
        {
            oldest.Previous = Unsafe.As<PoolWorkItem>(head); // fault point: push-link
            object? was = TOps.CompareExchange(ref _newest, newest, head); // publishes the items; pairs with the fences in Rest, EndSearch and Fired
            if (ReferenceEquals(was, head)) return true; // fault point: push-done
            TOps.Pause(1);
            head = was;
        }
        oldest.Previous = null;
        return false;
    }

    /// <summary>Takes everything, under the gate. Newest first, linked by Previous.</summary>
    public PoolWorkItem? TakeAll() => HasItems ? Unsafe.As<PoolWorkItem>(TOps.Exchange(ref _newest, null)) : null;

    /// <summary>Closes, under the gate, and takes what was pushed before.</summary>
    public PoolWorkItem? Close()
    {
        object? was = TOps.Exchange(ref _newest, Closed); // fault point: inbox-close
        return ReferenceEquals(was, Closed) ? null : Unsafe.As<PoolWorkItem>(was);
    }
}

/// <summary>Counts the places that have become free again.</summary>
internal interface IReleasedCount
{
    long CountReleased();
}

/// <summary>128 bytes of padding between fields that different threads write.</summary>
[InlineArray(16)]
internal struct CacheLinePadding
{
    private long _first;
}
