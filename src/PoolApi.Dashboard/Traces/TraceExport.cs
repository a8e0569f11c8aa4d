using System.Text.Json;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Recording;
using PoolApi.Threading;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Traces;

/// <summary>Writes what the workers did in the last seconds as trace events, which Perfetto, chrome://tracing and Speedscope open.</summary>
/// <remarks>
/// Each pool is a process with a track for each worker and a slice for each record. One track has the submissions, with a flow from each to its
/// start, and one has the ends without a worker. The first process is the app, with garbage collections and the states of a stop. Counters have
/// a point for each second of the history. Slices of one track follow each other or nest. Times are in microseconds since the first event.
/// </remarks>
internal static class TraceExport
{
    private const int AppProcess = 1;
    private const int FirstPool = 2;
    private const int SubmissionTrack = 1;
    private const int EndTrack = 2;
    private const int FirstWorker = 10;
    private const int FlushEvery = 32 << 10;

    /// <summary>Writes the trace of the last seconds. It is streamed, so the whole trace is never in memory.</summary>
    /// <param name="monitor">The app's monitor.</param>
    /// <param name="seconds">The length. The trace has the records that ended within this time, also if they began before it.</param>
    /// <param name="to">The destination.</param>
    /// <param name="cancellationToken">Cancels the writing.</param>
    public static async Task WriteAsync(PoolMonitor monitor, double seconds, Stream to, CancellationToken cancellationToken)
    {
        await using var json = new Utf8JsonWriter(to);
        foreach (Action write in Pieces(json, monitor, seconds))
        {
            write();
            if (json.BytesPending >= FlushEvery) await json.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes the trace to a stream in memory.</summary>
    public static void Write(PoolMonitor monitor, double seconds, Stream to)
    {
        using var json = new Utf8JsonWriter(to);
        foreach (Action write in Pieces(json, monitor, seconds))
        {
            write();
            if (json.BytesPending >= FlushEvery) json.Flush();
        }
    }

    /// <summary>Writes the whole trace. It yields after each piece, so that the caller can flush.</summary>
    private static IEnumerable<Action> Pieces(Utf8JsonWriter json, PoolMonitor monitor, double seconds)
    {
        PoolPart[] pools = [.. monitor.Pools.Select(pool => PoolPart.Read(monitor, pool, seconds))];
        DateTimeOffset now = monitor.Time.GetUtcNow();
        DateTimeOffset from = now - TimeSpan.FromSeconds(seconds);
        List<GcPause> pauses = GcWatch.Since(DateTime.UtcNow - TimeSpan.FromSeconds(seconds));
        // Times count from the first event, so that a double holds them exactly.
        double origin = pools.Select(static p => p.FirstUnixMilliseconds).Append((from - DateTimeOffset.UnixEpoch).TotalMilliseconds).Min();
        yield return () =>
        {
            json.WriteStartObject();
            json.WriteString("displayTimeUnit", "ms");
            json.WriteStartObject("otherData");
            json.WriteString("from", from);
            json.WriteString("to", now);
            json.WriteNumber("originUnixMs", origin);
            foreach (PoolPart pool in pools) json.WriteNumber($"overwritten in {pool.Pool.Name}", pool.Overwritten);
            json.WriteEndObject();
            json.WriteStartArray("traceEvents");
            WriteApp(json, monitor, pauses, from, origin);
        };
        for (int i = 0; i < pools.Length; i++)
        {
            foreach (Action write in pools[i].Pieces(json, FirstPool + i, origin)) yield return write;
        }
        yield return () =>
        {
            json.WriteEndArray();
            json.WriteEndObject();
        };
    }

    private static void WriteApp(Utf8JsonWriter json, PoolMonitor monitor, List<GcPause> pauses, DateTimeOffset from, double origin)
    {
        Name(json, AppProcess, null, "app", 0);
        Name(json, AppProcess, SubmissionTrack, "garbage collections", 0);
        Name(json, AppProcess, EndTrack, "stop", 1);
        // The pauses are on the system clock, which differs from a test's clock.
        double systemNow = (DateTime.UtcNow - DateTime.UnixEpoch).TotalMilliseconds;
        double now = (monitor.Time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;
        foreach (GcPause pause in pauses)
        {
            double end = (pause.EndUtc - DateTime.UnixEpoch).TotalMilliseconds - systemNow + now - origin;
            Begin(json, "X", AppProcess, SubmissionTrack, (long)Math.Max(0, (end - pause.Length.TotalMilliseconds) * 1e6), $"generation {pause.Generation}");
            Duration(json, (long)(pause.Length.TotalMilliseconds * 1e6));
            json.WriteStartObject("args");
            json.WriteNumber("collection", pause.Index);
            json.WriteBoolean("compacting", pause.IsCompacting);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        foreach (StateEntry entry in monitor.Shutdown?.Entered ?? [])
        {
            if (entry.At < from) continue;
            double at = (entry.At - DateTimeOffset.UnixEpoch).TotalMilliseconds - origin;
            Begin(json, "i", AppProcess, EndTrack, (long)(at * 1e6), entry.State.ToWord());
            json.WriteString("s", "g");
            json.WriteStartObject("args");
            json.WriteString("reason", entry.Reason);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    /// <summary>Names a process or a track and sets its sort order.</summary>
    private static void Name(Utf8JsonWriter json, int process, int? track, string name, int place)
    {
        string what = track is null ? "process" : "thread";
        Meta($"{what}_name", () => json.WriteString("name", name));
        Meta($"{what}_sort_index", () => json.WriteNumber("sort_index", place));

        void Meta(string kind, Action value)
        {
            json.WriteStartObject();
            json.WriteString("ph", "M");
            json.WriteNumber("pid", process);
            json.WriteNumber("tid", track ?? 0);
            json.WriteString("name", kind);
            json.WriteStartObject("args");
            value();
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static void Begin(Utf8JsonWriter json, string phase, int process, int track, long nanoseconds, string name)
    {
        json.WriteStartObject();
        json.WriteString("ph", phase);
        json.WriteNumber("pid", process);
        json.WriteNumber("tid", track);
        json.WriteNumber("ts", nanoseconds / 1000m);
        json.WriteString("name", name);
    }

    private static void Duration(Utf8JsonWriter json, long nanoseconds) => json.WriteNumber("dur", nanoseconds / 1000m);

    /// <summary>The part of one pool, read at one moment.</summary>
    private sealed class PoolPart
    {
        public required PoolHistory Pool { get; init; }

        public required List<RecordedItem> Items { get; init; }

        public required PoolSnapshot Snapshot { get; init; }

        public required PoolTime Time { get; init; }

        public required PoolSample[] Samples { get; init; }

        public required WorkerActivityView?[] Activities { get; init; }

        public required int Overwritten { get; init; }

        public required double FirstUnixMilliseconds { get; init; }

        public static PoolPart Read(PoolMonitor monitor, PoolHistory pool, double seconds)
        {
            var items = new List<RecordedItem>();
            // The order matters: an item that ends after the first read is not seen as running by the second.
            int overwritten = pool.Recorder.Read(new RecordCursor(), items);
            PoolSnapshot snapshot = pool.Pool.Threads.GetSnapshot();
            PoolTime time = pool.Recorder.Time;
            long from = time.Now - time.ToTicks(TimeSpan.FromSeconds(seconds));
            items.RemoveAll(item => item.EndedAt < from);
            double fromUnix = time.ToUnixMilliseconds(from);
            return new PoolPart
            {
                Pool = pool,
                Items = items,
                Snapshot = snapshot,
                Time = time,
                Samples = monitor.Read(_ => Array.FindAll(pool.ByTheSecond(), s => s.At >= fromUnix)),
                Activities = [.. snapshot.Workers.Select(w => monitor.ActivityOf(pool.Name, w.Id))],
                Overwritten = overwritten,
                FirstUnixMilliseconds = Math.Min(
                    items.Count == 0 ? fromUnix : items.Min(i => time.ToUnixMilliseconds(Math.Min(i.EnqueuedAt ?? i.EndedAt, i.StartedAt ?? i.EndedAt))),
                    snapshot.Workers.Max(static w => w.Elapsed) is { } longest ? time.NowUnixMilliseconds - longest.TotalMilliseconds - 1 : fromUnix),
            };
        }

        /// <summary>Writes the pool's events. It yields after each piece, so that the caller can flush.</summary>
        public IEnumerable<Action> Pieces(Utf8JsonWriter json, int process, double origin)
        {
            // Whole ticks: consecutive slices must not overlap because of rounding.
            long first = Time.Now - (long)((Time.NowUnixMilliseconds - origin) * Time.TicksPerMillisecond);
            yield return () =>
            {
                Name(json, process, null, $"pool {Pool.Name}", process);
                Name(json, process, SubmissionTrack, "submitted", SubmissionTrack);
                Name(json, process, EndTrack, "ended without a worker", EndTrack);
                foreach (WorkerSnapshot worker in Snapshot.Workers) Name(json, process, FirstWorker + worker.Id, worker.Name, FirstWorker + worker.Id);
            };
            long flow = process * 1_000_000_000L;
            var lastEnd = new Dictionary<int, long>();
            foreach (RecordedItem item in Items)
            {
                lastEnd[item.Worker] = item.EndedAt;
                yield return () => Write(item, ++flow);
            }
            foreach (WorkerSnapshot worker in Snapshot.Workers)
            {
                if (worker.Elapsed is { } elapsed) yield return () => WriteRunning(worker, Math.Max(Time.Now - Time.ToTicks(elapsed), lastEnd.GetValueOrDefault(worker.Id)));
            }
            foreach (PoolSample sample in Samples) yield return () => WriteCounters(sample);

            long Nanoseconds(long ticks) => Time.ToNanoseconds(ticks - first);

            void Write(in RecordedItem item, long id)
            {
                bool hasWorker = item.Worker >= 0;
                int track = hasWorker ? FirstWorker + item.Worker : EndTrack;
                long start = Nanoseconds(hasWorker ? item.StartedAt ?? item.EndedAt : item.EndedAt);
                long end = Nanoseconds(item.EndedAt);
                // If an item ended apart from its worker, the worker's own record has the flow.
                if (item.EnqueuedAt is { } enqueued && (item.Form != RecordForm.End || item.StartedAt is null)) WriteFlow(item.Kind, Nanoseconds(enqueued), track, start, id);
                string name = item.Form switch
                {
                    RecordForm.Run => $"{item.Count} × {item.Kind}",
                    RecordForm.End => $"{item.Outcome} {item.Kind}",
                    _ => item.Kind,
                };
                Begin(json, "X", process, track, start, name);
                Duration(json, end - start);
                json.WriteStartObject("args");
                json.WriteString("form", item.Form.ToString());
                if (item.Outcome is { } outcome && item.Form != RecordForm.Run) json.WriteString("outcome", outcome.ToString());
                if (item.Form == RecordForm.Run) json.WriteNumber("items", item.Count);
                if (item.Origin is { } origin) json.WriteString("route", origin);
                if (item.TraceId != default) json.WriteString("traceId", item.TraceId.ToString());
                if (item.EnqueuedAt is { } since) json.WriteNumber("waitedMs", Math.Round(Time.ToMilliseconds((item.StartedAt ?? item.EndedAt) - since), 4));
                json.WriteEndObject();
                json.WriteEndObject();
            }

            void WriteFlow(string kind, long enqueued, int track, long start, long id)
            {
                Begin(json, "X", process, SubmissionTrack, enqueued, kind);
                Duration(json, 0);
                json.WriteEndObject();
                Begin(json, "s", process, SubmissionTrack, enqueued, "queue");
                json.WriteString("cat", "queue");
                json.WriteNumber("id", id);
                json.WriteEndObject();
                Begin(json, "f", process, track, Math.Max(start, enqueued), "queue");
                json.WriteString("cat", "queue");
                json.WriteString("bp", "e");
                json.WriteNumber("id", id);
                json.WriteEndObject();
            }

            void WriteRunning(WorkerSnapshot worker, long since)
            {
                Begin(json, "X", process, FirstWorker + worker.Id, Nanoseconds(since), worker.Kind ?? "work");
                Duration(json, Math.Max(0, Time.ToNanoseconds(Time.Now - since)));
                json.WriteStartObject("args");
                json.WriteString("form", "Running");
                json.WriteString("state", worker.State.ToString());
                if (worker.Origin is { } origin) json.WriteString("route", origin);
                if (worker.TraceId != default) json.WriteString("traceId", worker.TraceId.ToString());
                if (worker.Id < Activities.Length && Activities[worker.Id] is { } activity)
                {
                    json.WriteString("activity", activity.Activity.ToString());
                    if (activity.Channel is { } channel) json.WriteString("channel", channel);
                }
                json.WriteEndObject();
                json.WriteEndObject();
            }

            void WriteCounters(PoolSample sample)
            {
                long at = (long)((sample.At - origin) * 1e6);
                Counter("queue", ("high", sample.QueueHigh), ("normal", sample.QueueNormal), ("low", sample.QueueLow));
                Counter("suspended", ("items", sample.Suspended));
                Counter("refused", ("items", sample.Refused.Values.Sum()));

                void Counter(string name, params ReadOnlySpan<(string Name, long Value)> values)
                {
                    Begin(json, "C", process, 0, at, name);
                    json.WriteStartObject("args");
                    foreach ((string line, long value) in values) json.WriteNumber(line, value);
                    json.WriteEndObject();
                    json.WriteEndObject();
                }
            }
        }
    }
}
