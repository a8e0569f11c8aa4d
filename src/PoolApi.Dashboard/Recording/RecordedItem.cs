using System.Diagnostics;
using PoolApi.Threading;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Recording;

/// <summary>A record of a worker, or of an item that ended on no worker. Times are time stamps of the pool's clock; <see cref="PoolTime"/> converts them.</summary>
internal readonly record struct RecordedItem
{
    private readonly ItemRecord _record;

    public RecordedItem(string pool, int worker, in ItemRecord record) => (Pool, Worker, _record) = (pool, worker, record);

    public string Pool { get; }

    /// <summary>The worker's id; −1 for an item that ended on no worker.</summary>
    public int Worker { get; }

    /// <summary>The form: a whole item, a piece of one, a run of tiny items, or an end without a worker.</summary>
    public RecordForm Form => _record.Form;

    /// <summary>The kind; of a run, that of its first item.</summary>
    public string Kind => _record.Kind;

    /// <summary>The route; null if the work did not come over HTTP.</summary>
    public string? Origin => _record.Origin;

    /// <summary>The trace id; all zeros if there is none.</summary>
    public ActivityTraceId TraceId => _record.TraceId;

    /// <summary>When the item was enqueued; null if this piece does not begin the item, or this is a run of tiny items.</summary>
    public long? EnqueuedAt => Form is RecordForm.Item or RecordForm.FirstPiece or RecordForm.End or RecordForm.Late ? _record.Mark : null;

    /// <summary>When the worker started; null if no worker ran the item.</summary>
    public long? StartedAt => _record.Started == 0 ? null : _record.Started;

    public long EndedAt => _record.Ended;

    /// <summary>When the whole item started, if this record is its end.</summary>
    public long? ItemStartedAt => Form switch
    {
        RecordForm.LastPiece => _record.Mark,
        RecordForm.Item or RecordForm.End => StartedAt,
        _ => null,
    };

    /// <summary>The number of items in this record.</summary>
    public int Count => _record.Count;

    /// <summary>The outcome; null if the item continues after this piece, or had ended before it.</summary>
    public WorkOutcome? Outcome => Form is RecordForm.FirstPiece or RecordForm.Piece or RecordForm.Late ? null : _record.Outcome;
}
