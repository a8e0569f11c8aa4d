using System.Diagnostics;
using System.Text.Json;
using PoolApi.Dashboard.Recording;
using PoolApi.Threading;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Streams;

/// <summary>A piece of a worker's strip: one item, or several short items in a row.</summary>
internal struct Piece
{
    public int Worker;
    public string Kind;
    public double Start; // ms since 1970
    public double End;
    public double BusyMs;
    public int Count;
    public string? Outcome;
    public double? QueuedMs;
    public ActivityTraceId TraceId;

    /// <summary>The kind of a piece whose items have several.</summary>
    private const string SeveralKinds = "several kinds";

    /// <summary>
    /// From this length limit on, in ms, items of different kinds and outcomes are merged too. Otherwise items whose kinds alternate would never be
    /// merged.
    /// </summary>
    private const double MixedFrom = 64;

    /// <summary>Converts records to pieces. Short records of one worker in a row are merged.</summary>
    /// <remarks>
    /// A pool runs up to a million tiny items a second, and a strip has a thousand pixels. A merged piece shows the number of items and the busy
    /// part of its time. If there would be too many pieces, items of different kinds and outcomes are merged too. Such a piece has the outcome of a
    /// failure if one of its items failed.
    /// </remarks>
    /// <param name="items">The records by worker, each worker's oldest first.</param>
    /// <param name="time">Converts the time stamps.</param>
    /// <param name="after">Only records that ended after this time, in ms since 1970.</param>
    /// <param name="most">The approximate maximum number of pieces.</param>
    public static List<Piece> Of(List<RecordedItem> items, in PoolTime time, double after, int most)
    {
        double shortest = 8;
        List<Piece> pieces = Of(items, time, after, shortest);
        while (pieces.Count > most && shortest < 60_000)
        {
            shortest *= 2;
            pieces = Of(items, time, after, shortest);
        }
        return pieces;
    }

    public readonly void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("worker", Worker);
        json.WriteString("kind", Kind);
        json.WriteMilliseconds("start", Start);
        json.WriteMilliseconds("ms", End - Start);
        json.WriteMaybe("outcome", Outcome);
        if (QueuedMs is { } queued) json.WriteMilliseconds("queuedMs", queued);
        if (TraceId != default) json.WriteString("trace", TraceId.ToHexString());
        if (Count > 1)
        {
            json.WriteNumber("count", Count);
            json.WriteNumber("busy", Math.Round(Math.Clamp(BusyMs / Math.Max(End - Start, 0.001), 0, 1), 3));
        }
        json.WriteEndObject();
    }

    private static List<Piece> Of(List<RecordedItem> items, in PoolTime time, double after, double shortest)
    {
        var pieces = new List<Piece>();
        Piece open = default;
        foreach (RecordedItem item in items)
        {
            if (item.Worker < 0 || item.StartedAt is not { } started) continue;
            double start = time.ToUnixMilliseconds(started), end = time.ToUnixMilliseconds(item.EndedAt);
            if (end <= after) continue;
            string? outcome = item.Form switch
            {
                RecordForm.FirstPiece or RecordForm.Piece => "suspended",
                RecordForm.Late => "late",
                _ => Word(item.Outcome),
            };
            var piece = new Piece
            {
                Worker = item.Worker,
                Kind = item.Kind,
                Start = start,
                End = end,
                BusyMs = end - start,
                Count = item.Count,
                Outcome = outcome,
                QueuedMs = item.EnqueuedAt is { } enqueued ? Math.Max(0, time.ToMilliseconds(started - enqueued)) : null,
                TraceId = item.TraceId,
            };
            bool joins = open.Count > 0 && open.Worker == piece.Worker && (shortest >= MixedFrom || (open.Outcome == piece.Outcome && open.Kind == piece.Kind))
                && piece.BusyMs < shortest && open.BusyMs / open.Count < shortest
                && piece.Start - open.End < shortest && piece.End - open.Start < shortest * 12;
            if (joins)
            {
                open.End = Math.Max(open.End, piece.End);
                open.BusyMs += piece.BusyMs;
                open.Count += piece.Count;
                if (open.Kind != piece.Kind) open.Kind = SeveralKinds;
                if (!IsFailure(open.Outcome) && (open.Outcome is null || IsFailure(piece.Outcome))) open.Outcome = piece.Outcome;
                open.TraceId = default;
                open.QueuedMs = null;
            }
            else
            {
                if (open.Count > 0) pieces.Add(open);
                open = piece;
            }
        }
        if (open.Count > 0) pieces.Add(open);
        return pieces;
    }

    /// <summary>Whether the strips mark it as a failure. A late piece counts: of an item that timed out, the strip has no other trace.</summary>
    internal static bool IsFailure(string? outcome) => outcome is "failed" or "expired" or "notStarted" or "abandoned" or "timedOut" or "late";

    private static string? Word(WorkOutcome? outcome) => outcome switch
    {
        null => null,
        WorkOutcome.Completed => "completed",
        WorkOutcome.Failed => "failed",
        WorkOutcome.Cancelled => "cancelled",
        WorkOutcome.Expired => "expired",
        WorkOutcome.Withdrawn => "clientGone",
        WorkOutcome.NotStarted => "notStarted",
        WorkOutcome.Abandoned => "abandoned",
        _ => "timedOut",
    };
}
