using System.Runtime.CompilerServices;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>A worker as the queue sees it: whether it sleeps or searches, what it has in hand, and what it has done.</summary>
internal class QueueWorker
{
    private readonly CacheLines _lines = new(2);

    // Guarded by the gate.
    internal QueueWorker? NextSleeper;
    internal QueueWorker? NextToWake; // taken off the sleepers, to be woken after the gate
    internal bool Sleeps; // on the sleepers' stack
    internal bool HasLooked; // it has spun since it last had work: next it sleeps
    internal bool IsLive; // it has a thread whose loop has not ended

    internal bool IsStandIn; // it runs only what blocked workers wait for
    internal int StandInDepth; // of what it runs as a stand-in; 0: it runs nothing
    internal bool IsDismissed; // a stand-in that shall leave
    internal long RestsSince;

    internal bool MayStandIn; // set by a stand-in itself: the others are blocked still

    internal long BatchNumber; // of all local batches ever filled; guarded by the gate

    // Guarded by the local batch's own gate; whoever holds that of the queue may take it too, and in this order.
    internal WorkItemList LocalBatch; // tiny items that it took along, to run next

    /// <summary>What it has in hand and has done.</summary>
    internal WorkerLedger Ledger { get; } = new();

    /// <summary>Its parker's word.</summary>
    internal ref int ParkWord => ref _lines.Int(0);

    /// <summary>The gate of its local batch.</summary>
    internal ref int BatchGate => ref _lines.Int(1);

    /// <summary>Whether its local batch holds anything; out of date as soon as it is read, unless its gate is held.</summary>
    internal bool HasBatchGuess<TOps>()
        where TOps : struct, IAtomicOps => LocalBatch.HasItemsGuess<TOps>();

    /// <summary>Under the gate, or that of its local batch: it is about to run an item that waited with the owner, or a continuation of it.</summary>
    internal void TakeInHand<TOps>(PoolWorkItem item, object owner, long now, bool isStart)
        where TOps : struct, IAtomicOps
    {
        Ledger.Take<TOps>(item, now);
        item.TakenLocked(owner, isStart);
    }
}

/// <summary>
/// What a worker has in hand and has done. Written by the worker alone, read by anybody: a sequence lock, so that a view
/// is never half of one moment and half of another, and the worker pays no lock for it.
/// </summary>
/// <remarks>
/// Odd version: a change is under way. The writer: version+1, barrier, change, version+1. The reader reads the version,
/// reads, and reads the version again; if it was odd or has changed, once more (<see cref="Copy"/>).
/// </remarks>
internal sealed class WorkerLedger
{
    private long _version;

    internal PoolWorkItem? Item;
    internal long ItemSince;
    internal long BusyTicks;
    internal double MeanTicks; // of a run, exponentially weighted over about its last 16 items
    internal OutcomeCounts Ended;
    private long _released;
#pragma warning disable CS0169, IDE0051 // never read: it keeps neighbours off the line
    private CacheLinePadding _padding;
#pragma warning restore CS0169, IDE0051

    /// <summary>Assignments it has finished with: each freed a place.</summary>
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

    /// <summary>It has the item in hand from now on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take<TOps>(PoolWorkItem item, long now)
        where TOps : struct, IAtomicOps
    {
        BeginChange<TOps>();
        TOps.Write(ref Item, item);
        TOps.Write(ref ItemSince, now);
        EndChange<TOps>();
    }

    /// <summary>What it has in hand, it has only since then. By the worker.</summary>
    public void BeginItemAt<TOps>(long since)
        where TOps : struct, IAtomicOps
    {
        BeginChange<TOps>();
        TOps.Write(ref ItemSince, since);
        EndChange<TOps>();
    }

    /// <summary>Inside a change: it has nothing in hand any more, and a place is free.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Release<TOps>(long now)
        where TOps : struct, IAtomicOps
    {
        TOps.Write(ref BusyTicks, BusyTicks + now - ItemSince);
        TOps.Write(ref Item, null);
        TOps.Write(ref _released, _released + 1);
    }

    /// <summary>Goes on with each change; out of date as soon as it is read.</summary>
    public long VersionGuess => Volatile.Read(ref _version);

    /// <summary>Takes note of a run time. Outside the sequence lock: an estimate is made of it, and no sum.</summary>
    public void AddToMean(long ticks) => MeanTicks += (ticks - MeanTicks) / (MeanTicks == 0 ? 1 : 16);

    /// <summary>All of it as it was at one moment. Waits for the few instructions of a change under way.</summary>
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

/// <summary>A worker's ledger as it was at one moment.</summary>
/// <param name="Version">The ledger's version then.</param>
/// <param name="Item">What the worker had in hand.</param>
/// <param name="ItemSince">Since when.</param>
/// <param name="BusyTicks">How long it had been busy before.</param>
/// <param name="Ended">What had ended on it.</param>
internal readonly record struct LedgerCopy(long Version, PoolWorkItem? Item, long ItemSince, long BusyTicks, OutcomeCounts Ended);

/// <summary>How many ended how.</summary>
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
