using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;
using PoolApi.Threading.Core.Recording;
using Ring = PoolApi.Threading.Core.Recording.RecordRing<PoolApi.Threading.Core.Atomics.ProcessorOps, PoolApi.Threading.Core.Recording.ArraySlots<PoolApi.Threading.Core.Recording.ItemRecord>, PoolApi.Threading.Core.Recording.ItemRecord>;

namespace PoolApi.Threading.Core;

/// <summary>
/// Records what a worker does, always. An item that is measured, fails or takes long gets a record of its own. Tiny items are counted
/// by the worker's ledger anyway, so a run of them gets one record, and an item of it costs nothing here.
/// </summary>
/// <remarks>
/// All members are called on the worker's own thread, except <see cref="Read"/>. A run begins when the worker passes the gate with everything
/// recorded, and ends when it rests, when an item gets a record of its own, or after <see cref="LongestRun"/>.
/// </remarks>
internal sealed class WorkerRecorder(PoolCore core, WorkerLedger ledger)
{
    private static readonly TimeSpan LongestRun = TimeSpan.FromMilliseconds(50);

    private readonly bool _isOn = core.Records.IsOn;
    private readonly long _longestRun = core.Clock.ToTicks(LongestRun);
    private Ring? _ring; // created with the first record

    private long _recorded; // the number of released items that are recorded
    private long _busy; // the ledger's busy time at that point
    private long _runSince;
    private string _runKind = "work";

    /// <summary>The worker has passed the gate. Its next item, if there is one, has not started.</summary>
    public void AtGate(PoolWorkItem? next, long now)
    {
        if (!_isOn) return;
        if (ledger.Released<ProcessorOps>() != _recorded)
        {
            if (next is not null && now - _runSince < _longestRun) return;
            EndRun(now, ledger.Released<ProcessorOps>(), ledger.BusyTicks);
        }
        if (next is null) return;
        _runSince = now;
        if (!next.IsTimed) _runKind = PoolInstruments.KindOf(next);
    }

    /// <summary>The worker has released a synchronous item.</summary>
    /// <param name="item">The item, which is not notified of its end yet.</param>
    /// <param name="outcome">The outcome; null if it had ended before.</param>
    /// <param name="started">Since when the worker held it. The worker is busy from then on, also if it was held up before the item started.</param>
    /// <param name="now">When it ended.</param>
    public void Ended(PoolWorkItem item, WorkOutcome? outcome, long started, long now)
    {
        Write(new ItemRecord
        {
            Kind = PoolInstruments.KindOf(item),
            Origin = OriginOf(item),
            Trace = TraceOf(item),
            Mark = item.SubmittedAt,
            Started = started,
            Ended = now,
            Count = 1,
            Form = outcome is null ? RecordForm.Late : RecordForm.Item,
            Outcome = outcome ?? WorkOutcome.Completed,
        });
    }

    /// <summary>The worker has released an asynchronous item, which ended or awaits.</summary>
    /// <param name="piece">What was read of the item before it could be submitted again.</param>
    public void Ended(in ItemRecord piece) => Write(piece);

    /// <summary>Reads an asynchronous item before the worker releases it. Runs code of a caller, so not under the gate.</summary>
    /// <param name="item">The item.</param>
    /// <param name="since">Since when the worker has had it.</param>
    /// <param name="now">The time.</param>
    /// <param name="outcome">The outcome; null if it awaits.</param>
    public static ItemRecord Piece(AsyncPoolWorkItem item, long since, long now, WorkOutcome? outcome)
    {
        bool isFirst = since <= item.StartedAt;
        return new ItemRecord
        {
            Kind = PoolInstruments.KindOf(item),
            Origin = OriginOf(item),
            Trace = TraceOf(item),
            Mark = isFirst ? item.SubmittedAt : item.StartedAt,
            Started = since,
            Ended = now,
            Count = 1,
            Form = outcome is null ? (isFirst ? RecordForm.FirstPiece : RecordForm.Piece) : isFirst ? RecordForm.Item : RecordForm.LastPiece,
            Outcome = outcome ?? WorkOutcome.Completed,
        };
    }

    public static string? OriginOf(PoolWorkItem item)
    {
        try
        {
            return item.Origin;
        }
        catch (Exception)
        {
            return null; // code of a caller threw: the item is recorded without an origin
        }
    }

    public static (ulong First, ulong Second) TraceOf(PoolWorkItem item)
    {
        try
        {
            return ItemRecord.Halves(item.TraceId);
        }
        catch (Exception)
        {
            return default; // as in OriginOf
        }
    }

    /// <summary>Reads the records. Thread-safe.</summary>
    /// <inheritdoc cref="RecordRing{TOps, TSlots, TEntry}.Read"/>
    public int Read(ref int cursor, List<ItemRecord> into) => Volatile.Read(ref _ring)?.Read(ref cursor, into) ?? 0;

    private void Write(in ItemRecord record)
    {
        if (!_isOn) return;
        long held = record.Ended - ledger.ItemSince;
        // The items that were released before this one belong to the run before it.
        if (ledger.Released<ProcessorOps>() - 1 > _recorded) EndRun(record.Started, ledger.Released<ProcessorOps>() - 1, ledger.BusyTicks - held);
        if ((_ring ?? TryMakeRing()) is { } ring) ring.Write(record);
        _recorded = ledger.Released<ProcessorOps>();
        _busy = ledger.BusyTicks;
    }

    private void EndRun(long now, long released, long busy)
    {
        long count = released - _recorded;
        // The length is the busy time of the run's items, at most the time since the run began. It is 0 if the coarse clock did not advance.
        long started = Math.Max(_runSince, now - (busy - _busy));
        if ((_ring ?? TryMakeRing()) is { } ring)
        {
            ring.Write(new ItemRecord
            {
                Kind = _runKind,
                Started = started,
                Ended = now,
                Count = (int)Math.Min(count, int.MaxValue),
                Form = RecordForm.Run,
            });
        }
        _recorded = released;
        _busy = busy;
    }

    /// <returns>Null if there is no memory for it: the record is left out, because the item's end must be notified anyway.</returns>
    private Ring? TryMakeRing()
    {
        if (core.Records.TryMakeRing() is not { } ring) return null;
        Volatile.Write(ref _ring, ring); // a release: a reader sees the complete ring; pairs with the acquire in Read
        return ring;
    }
}
