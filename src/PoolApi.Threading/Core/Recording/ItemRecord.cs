using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PoolApi.Threading.Core.Recording;

/// <summary>
/// One record of the flight recorder: an item that a worker ran, a piece of an asynchronous item, a run of tiny items, or an item that ended on no worker.
/// </summary>
/// <remarks>64 bytes; times are time stamps of the pool's clock.</remarks>
internal readonly record struct ItemRecord
{
    /// <summary>The kind; of a run, that of its first item.</summary>
    public required string Kind { get; init; }

    public string? Origin { get; init; }

    /// <summary>The trace id in two halves; both are 0 if there is none.</summary>
    public (ulong First, ulong Second) Trace { get; init; }

    /// <summary>When the item was submitted; in a later piece of an asynchronous item, when the item started. 0 in a run.</summary>
    public long Mark { get; init; }

    /// <summary>When the worker took the item; 0 if no worker has.</summary>
    public long Started { get; init; }

    /// <summary>When the worker released the item; when it ended, if no worker had it.</summary>
    public long Ended { get; init; }

    /// <summary>The number of items; more than 1 only in a run.</summary>
    public int Count { get; init; }

    public RecordForm Form { get; init; }

    /// <summary>The outcome, if the item has ended.</summary>
    public WorkOutcome Outcome
    {
        get => (WorkOutcome)_outcome;
        init => _outcome = (byte)value;
    }

    private readonly byte _outcome;

    public ActivityTraceId TraceId
    {
        get
        {
            if (Trace == default) return default;
            ReadOnlySpan<ulong> halves = [Trace.First, Trace.Second];
            return ActivityTraceId.CreateFromBytes(MemoryMarshal.AsBytes(halves));
        }
    }

    public static (ulong First, ulong Second) Halves(ActivityTraceId trace)
    {
        if (trace == default) return default;
        Span<ulong> halves = stackalloc ulong[2];
        trace.CopyTo(MemoryMarshal.AsBytes(halves));
        return (halves[0], halves[1]);
    }

    public static int Size => Unsafe.SizeOf<ItemRecord>();
}

/// <summary>The form of a record.</summary>
internal enum RecordForm : byte
{
    /// <summary>An item from its start to its end.</summary>
    Item,

    /// <summary>The first piece of an asynchronous item that awaits.</summary>
    FirstPiece,

    /// <summary>A piece of an asynchronous item that is followed by another, or by an end elsewhere.</summary>
    Piece,

    /// <summary>The last piece of an asynchronous item.</summary>
    LastPiece,

    /// <summary>A run of consecutive tiny items, which all completed.</summary>
    Run,

    /// <summary>The end of an item on no worker: it never ran, was abandoned, or ended outside the pool.</summary>
    End,

    /// <summary>A worker's code returned from an item that had ended before.</summary>
    Late,
}
