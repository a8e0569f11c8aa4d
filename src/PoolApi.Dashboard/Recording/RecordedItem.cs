using System.Diagnostics;
using PoolApi.Threading;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Recording;

/// <summary>Something that a worker did, or an item that ended on none. Times are time stamps of the pool's clock; <see cref="PoolTime"/> converts them.</summary>
internal readonly record struct RecordedItem
{
    private readonly ItemRecord _record;

    public RecordedItem(string pool, int worker, in ItemRecord record) => (Pool, Worker, _record) = (pool, worker, record);

    public string Pool { get; }

    /// <summary>The worker's id; −1: none.</summary>
    public int Worker { get; }

    /// <summary>What this is: a whole item, a piece of one, a run of tiny items, an end without a worker.</summary>
    public RecordForm Form => _record.Form;

    /// <summary>Of a run: the kind of its first item.</summary>
    public string Kind => _record.Kind;

    /// <summary>The route, if the work came over HTTP.</summary>
    public string? Origin => _record.Origin;

    /// <summary>All zeros: none.</summary>
    public ActivityTraceId TraceId => _record.TraceId;

    /// <summary>Null: this piece does not begin the item, or this is a run of tiny items.</summary>
    public long? EnqueuedAt => Form is RecordForm.Item or RecordForm.FirstPiece or RecordForm.End or RecordForm.Late ? _record.Mark : null;

    /// <summary>Null: no worker had it.</summary>
    public long? StartedAt => _record.Started == 0 ? null : _record.Started;

    public long EndedAt => _record.Ended;

    /// <summary>When the item as a whole started, where this is its end.</summary>
    public long? ItemStartedAt => Form switch
    {
        RecordForm.LastPiece => _record.Mark,
        RecordForm.Item or RecordForm.End => StartedAt,
        _ => null,
    };

    /// <summary>How many items this is of.</summary>
    public int Count => _record.Count;

    /// <summary>Null: the item goes on after this piece, or had ended before.</summary>
    public WorkOutcome? Outcome => Form is RecordForm.FirstPiece or RecordForm.Piece or RecordForm.Late ? null : _record.Outcome;
}
