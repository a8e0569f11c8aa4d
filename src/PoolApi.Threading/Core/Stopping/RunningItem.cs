using System.Runtime.CompilerServices;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core.Stopping;

/// <summary>
/// The end of a running item. One compare-and-swap on its state decides between its worker, a limit on run time
/// (<see cref="TryTimeOutLocked"/>) and a stop that abandons it (<see cref="PoolStop{TOps}.Abandon"/>).
/// </summary>
/// <remarks>An asynchronous item ends by itself, or by a stop, under the gate (<c>AsyncItems</c>); a limit ends it as any other.</remarks>
internal static class RunningItem<TOps>
    where TOps : struct, IAtomicOps
{
    /// <summary>A synchronous item's code has returned: its worker ends the item, unless another thread has, and releases it.</summary>
    /// <param name="item">The item.</param>
    /// <param name="outcome">How its code has ended.</param>
    /// <param name="worker">Its worker, on whose thread this is called.</param>
    /// <param name="now">The time.</param>
    /// <param name="stop">The stop of its pool.</param>
    /// <returns>Whether the worker has ended it. Then the caller notifies the item, which may be submitted again from then on.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool EndAndRelease(PoolWorkItem item, WorkOutcome outcome, QueueWorker worker, long now, PoolStop<TOps> stop)
    {
        WorkerLedger ledger = worker.Ledger;
        bool isMine = item.TryMove<TOps>(WorkItemState.InFlight, WorkItemState.Ending);
        if (isMine)
        {
            item.EndedAt = now;
            stop.CountIfInterrupted(item, outcome);
        }
        ledger.BeginChange<TOps>(); // fault point: return-begin
        ledger.Release<TOps>(now);
        if (isMine) ledger.Ended.Add(outcome);
        ledger.EndChange<TOps>();
        // After the release, and before the item is notified; see ItemPins. Pairs with the fence in Pin.
        if (stop.Pins.Reasons != PinReason.None) stop.CheckDrained(); // fault point: return-pinned
        return isMine;
    }

    /// <summary>Ends a running item, whose code may continue running. Called under the gate, with items pinned.</summary>
    /// <param name="item">The item.</param>
    /// <param name="now">The time.</param>
    /// <param name="stop">The stop of its pool.</param>
    /// <param name="source">The source to cancel after the gate is released. A source that is created later cancels itself.</param>
    /// <returns><see langword="false"/> if the item has ended, or is ending, in another way.</returns>
    public static bool TryTimeOutLocked(PoolWorkItem item, long now, PoolStop<TOps> stop, out CancellationTokenSource? source)
    {
        stop.AssertLocked();
        source = null;
        if (!item.TryMove<TOps>(WorkItemState.InFlight, WorkItemState.TimedOut)) return false;
        item.EndedAt = now;
        source = item.MarkRunning<TOps>();
        stop.CountIfInterrupted(item, WorkOutcome.TimedOut);
        return true;
    }
}
