using System.Runtime.CompilerServices;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>The state of a worker that the queue uses: whether it sleeps or searches, its item, and its counts.</summary>
internal class QueueWorker
{
    private readonly CacheLines _lines = new(2);

    // Guarded by the gate.
    internal QueueWorker? NextSleeper;
    internal QueueWorker? NextToWake; // removed from the sleepers, to be woken after the gate is released
    internal bool Sleeps; // on the sleepers' stack
    internal bool HasSpun; // it has spun since its last item, so it sleeps next
    internal bool IsLive; // it has a thread whose loop has not ended

    internal bool IsStandIn; // it runs only what blocked workers wait for
    internal int StandInDepth; // of the work that it runs as a stand-in; 0: none
    internal bool IsDismissed; // a stand-in that must leave
    internal long RestsSince;

    internal bool MayStandIn; // set by a stand-in itself while the other workers are still blocked

    internal bool HasMeasured; // set by the worker itself while it has measurements to record, which runs code of listeners

    internal long BatchNumber; // the number of its local batch, among all that were ever filled; guarded by the gate

    // Guarded by the local batch's own gate. Lock order: the queue's gate, then this one.
    internal WorkItemList LocalBatch; // tiny items that it runs next

    /// <summary>Its item and its counts.</summary>
    internal WorkerLedger Ledger { get; } = new();

    /// <summary>The word of its parker.</summary>
    internal ref int ParkWord => ref _lines.Int(0);

    /// <summary>The gate of its local batch.</summary>
    internal ref int BatchGate => ref _lines.Int(1);

    /// <summary>Whether its local batch has items. An estimate, unless its gate is held.</summary>
    internal bool LikelyHasBatch<TOps>()
        where TOps : struct, IAtomicOps => LocalBatch.LikelyHasItems<TOps>();

    /// <summary>The worker takes a queued item of the owner, or a continuation of it. Called under the gate or that of its local batch.</summary>
    internal void TakeInHand<TOps>(PoolWorkItem item, object owner, long now, bool isStart)
        where TOps : struct, IAtomicOps
    {
        Ledger.Take<TOps>(item, now);
        item.TakenLocked(owner, isStart);
    }
}

/// <summary>
/// A worker's item and counts. Only the worker writes them and any thread reads them, under a sequence lock, so that a view
/// never mixes two moments and the worker needs no lock.
/// </summary>
/// <remarks>
/// An odd version means that a change is under way. The writer: version+1, barrier, change, version+1. The reader reads the version,
/// the values, and the version again. If the version was odd or has changed, it repeats (<see cref="Copy"/>).
/// </remarks>
internal sealed class WorkerLedger
{
    private long _version;

    internal PoolWorkItem? Item;
    internal long ItemSince;
    internal long BusyTicks;
    internal double MeanTicks; // the mean run time, exponentially weighted over about the last 16 items
    internal OutcomeCounts Ended;
    private long _released;
#pragma warning disable CS0169, IDE0051 // never read: it keeps neighbours off the line
    private CacheLinePadding _padding;
#pragma warning restore CS0169, IDE0051

    /// <summary>The number of finished assignments, each of which freed a place.</summary>
    public long Released<TOps>()
        where TOps : struct, IAtomicOps => TOps.Read(ref _released);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void BeginChange<TOps>()
        where TOps : struct, IAtomicOps
    {
        TOps.Write(ref _version, _version + 1); // fault point: ledger-begin
        TOps.WriteBarrier(); // the odd version before any of the change; pairs with the ReadBarrier in IsUnchanged
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void EndChange<TOps>()
        where TOps : struct, IAtomicOps => TOps.Write(ref _version, _version + 1); // fault point: ledger-end

    /// <summary>The worker holds the item from now on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take<TOps>(PoolWorkItem item, long now)
        where TOps : struct, IAtomicOps
    {
        BeginChange<TOps>();
        TOps.Write(ref Item, item);
        TOps.Write(ref ItemSince, now);
        EndChange<TOps>();
    }

    /// <summary>Corrects the time since when the worker holds its item. Called by the worker.</summary>
    public void BeginItemAt<TOps>(long since)
        where TOps : struct, IAtomicOps
    {
        BeginChange<TOps>();
        TOps.Write(ref ItemSince, since);
        EndChange<TOps>();
    }

    /// <summary>The worker holds no item any more, and a place is free. Called inside a change.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Release<TOps>(long now)
        where TOps : struct, IAtomicOps
    {
        TOps.Write(ref BusyTicks, BusyTicks + now - ItemSince);
        TOps.Write(ref Item, null);
        TOps.Write(ref _released, _released + 1);
    }

    /// <summary>The version, which grows with each change. An estimate.</summary>
    public long LastVersion<TOps>()
        where TOps : struct, IAtomicOps => TOps.Read(ref _version);

    /// <summary>Adds a run time to the mean. Outside the sequence lock, because it only feeds estimates.</summary>
    public void AddToMean(long ticks) => MeanTicks += (ticks - MeanTicks) / (MeanTicks == 0 ? 1 : 16);

    /// <summary>Copies the values of one moment. Waits for the few instructions of a change under way.</summary>
    public LedgerCopy Copy<TOps>()
        where TOps : struct, IAtomicOps
    {
        for (int looks = 0; ; looks++)
        {
            long version = TOps.Read(ref _version);
            if ((version & 1) == 0)
            {
                var copy = new LedgerCopy(version, TOps.Read(ref Item), TOps.Read(ref ItemSince), TOps.Read(ref BusyTicks), Ended);
                if (IsUnchanged<TOps>(version)) return copy; // fault point: ledger-reread
            }
            if (looks < 10) TOps.Pause(1);
            else TOps.Yield();
        }
    }

    public bool IsUnchanged<TOps>(long version)
        where TOps : struct, IAtomicOps
    {
        TOps.ReadBarrier();
        return TOps.Read(ref _version) == version;
    }
}

/// <summary>A copy of a worker's ledger at one moment.</summary>
/// <param name="Version">The ledger's version.</param>
/// <param name="Item">The worker's item; null if it had none.</param>
/// <param name="ItemSince">Since when the worker held it.</param>
/// <param name="BusyTicks">The busy time before that.</param>
/// <param name="Ended">The numbers of items that had ended on it, by outcome.</param>
internal readonly record struct LedgerCopy(long Version, PoolWorkItem? Item, long ItemSince, long BusyTicks, OutcomeCounts Ended);

/// <summary>Counts of ended items by outcome.</summary>
[InlineArray(Count)]
internal struct OutcomeCounts
{
    private const int Count = 8; // of WorkOutcome

    private long _first;

    public void Add(WorkOutcome outcome, long count = 1) => this[(int)outcome] += count;

    public readonly long Total
    {
        get
        {
            long sum = 0;
            foreach (long count in this) sum += count;
            return sum;
        }
    }

    public void Add(in OutcomeCounts other)
    {
        for (int i = 0; i < Count; i++) this[i] += other[i];
    }
}
