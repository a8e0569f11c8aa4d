using System.Runtime.InteropServices;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Recording;
using PoolApi.Dashboard.Traces.Formats;
using PoolApi.Threading;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Traces;

/// <summary>Writes what the workers did in the last seconds as a trace.</summary>
/// <remarks>
/// Each pool is a process with a track for each worker and a slice for each record. One track has the submissions, with a flow from each to its
/// start, and one has the ends without a worker. The first process is the app, with garbage collections and the states of a stop. Counters have
/// a point for each second of the history. Slices of one track follow each other or nest. Times count from shortly before the first event.
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
    public static async Task WriteAsync(PoolMonitor monitor, double seconds, ITraceWriter to, CancellationToken cancellationToken)
    {
        foreach (Action write in Pieces(to, monitor, seconds))
        {
            write();
            if (to.Pending >= FlushEvery) await to.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        await to.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes the trace to a stream in memory.</summary>
    public static void Write(PoolMonitor monitor, double seconds, ITraceWriter to)
    {
        foreach (Action write in Pieces(to, monitor, seconds))
        {
            write();
            if (to.Pending >= FlushEvery) to.Flush();
        }
        to.Flush();
    }

    /// <summary>Writes the whole trace. It yields after each piece, so that the caller can flush.</summary>
    private static IEnumerable<Action> Pieces(ITraceWriter to, PoolMonitor monitor, double seconds)
    {
        PoolPart[] pools = [.. monitor.Pools.Select(pool => PoolPart.Read(monitor, pool, seconds))];
        DateTimeOffset now = monitor.Time.GetUtcNow();
        DateTimeOffset from = now - TimeSpan.FromSeconds(seconds);
        List<GcPause> pauses = GcWatch.Since(DateTime.UtcNow - TimeSpan.FromSeconds(seconds));
        // A double holds milliseconds since 1970 to 0.2 µs. The origin is a whole millisecond, at least 1 ms before the first event, so rounding puts no
        // event before it.
        double origin = Math.Floor(pools.Select(static p => p.FirstUnixMilliseconds).Append((from - DateTimeOffset.UnixEpoch).TotalMilliseconds).Min()) - 1;
        yield return () =>
        {
            to.Begin(new TraceHeader(from, now, origin, [.. pools.Select(static p => (p.Pool.Name, p.Overwritten))]));
            WriteApp(to, monitor, pauses, from, origin);
        };
        for (int i = 0; i < pools.Length; i++)
        {
            foreach (Action write in pools[i].Pieces(to, FirstPool + i, origin)) yield return write;
        }
        yield return to.End;
    }

    private static void WriteApp(ITraceWriter to, PoolMonitor monitor, List<GcPause> pauses, DateTimeOffset from, double origin)
    {
        to.Name(AppProcess, null, "app", 0);
        to.Name(AppProcess, SubmissionTrack, "garbage collections", 0);
        to.Name(AppProcess, EndTrack, "stop", 1);
        // The pauses are on the system clock, which differs from a test's clock.
        TimeSpan toMonitor = ReferenceEquals(monitor.Time, TimeProvider.System) ? TimeSpan.Zero : monitor.Time.GetUtcNow() - DateTimeOffset.UtcNow;
        DateTime zero = DateTime.UnixEpoch + TimeSpan.FromMilliseconds(origin) - toMonitor;
        foreach ((GcPause pause, TraceSlice slice) in GcTrack.Place(pauses, zero, AppProcess, SubmissionTrack))
            to.Slice(slice, TraceArgument.Of("collection", pause.Index), TraceArgument.Of("compacting", pause.IsCompacting));
        foreach (StateEntry entry in monitor.Shutdown?.Entered ?? [])
        {
            if (entry.At < from) continue;
            double at = (entry.At - DateTimeOffset.UnixEpoch).TotalMilliseconds - origin;
            to.Instant(AppProcess, EndTrack, (long)(at * 1e6), entry.State.ToWord(), TraceArgument.Of("reason", entry.Reason));
        }
    }

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
            // The order matters: in the other order, an item that ends between the two reads would be both running and ended.
            int overwritten = pool.Records.Read(new RecordCursor(), items);
            PoolSnapshot snapshot = pool.Pool.Threads.GetSnapshot();
            PoolTime time = pool.Records.Time;
            long from = time.Now - time.ToTicks(TimeSpan.FromSeconds(seconds));
            items.RemoveAll(item => item.EndedAt < from);
            // A slice that has others in it comes first, also where they begin together.
            items.Sort(static (a, b) => (a.StartedAt ?? a.EndedAt, -a.EndedAt).CompareTo((b.StartedAt ?? b.EndedAt, -b.EndedAt)));
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
        public IEnumerable<Action> Pieces(ITraceWriter to, int process, double origin)
        {
            // Whole ticks: consecutive slices must not overlap because of rounding.
            long first = Time.Now - (long)((Time.NowUnixMilliseconds - origin) * Time.TicksPerMillisecond);
            yield return () =>
            {
                to.Name(process, null, $"pool {Pool.Name}", process);
                to.Name(process, SubmissionTrack, "submitted", SubmissionTrack);
                to.Name(process, EndTrack, "ended without a worker", EndTrack);
                foreach (WorkerSnapshot worker in Snapshot.Workers) to.Name(process, FirstWorker + worker.Id, worker.Name, FirstWorker + worker.Id);
            };
            long flow = process * 1_000_000_000L;
            var arguments = new List<TraceArgument>();
            var lastEnd = new Dictionary<int, long>();
            foreach (RecordedItem item in Items)
            {
                lastEnd[item.Worker] = Math.Max(item.EndedAt, lastEnd.GetValueOrDefault(item.Worker));
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
                bool hasFlow = item.EnqueuedAt is not null && (item.Form != RecordForm.End || item.StartedAt is null);
                // According to its worker's clock, an item may start before it was submitted.
                if (hasFlow) to.Slice(new TraceSlice(process, SubmissionTrack, Math.Min(Nanoseconds(item.EnqueuedAt!.Value), start), 0, item.Kind, FlowFrom: id));
                string name = item.Form switch
                {
                    RecordForm.Run => $"{item.Count} × {item.Kind}",
                    RecordForm.End => $"{item.Outcome} {item.Kind}",
                    _ => item.Kind,
                };
                arguments.Clear();
                arguments.Add(TraceArgument.Of("form", item.Form.ToString()));
                if (item.Outcome is { } outcome && item.Form != RecordForm.Run) arguments.Add(TraceArgument.Of("outcome", outcome.ToString()));
                if (item.Form == RecordForm.Run) arguments.Add(TraceArgument.Of("items", item.Count));
                if (item.Origin is { } origin) arguments.Add(TraceArgument.Of("route", origin));
                if (item.TraceId != default) arguments.Add(TraceArgument.Of("traceId", item.TraceId.ToString(), isUnique: true));
                if (item.EnqueuedAt is { } since)
                    arguments.Add(TraceArgument.Of("waitedMs", Math.Round(Time.ToMilliseconds((item.StartedAt ?? item.EndedAt) - since), 4)));
                to.Slice(new TraceSlice(process, track, start, end - start, name, FlowTo: hasFlow ? id : 0), CollectionsMarshal.AsSpan(arguments));
            }

            void WriteRunning(WorkerSnapshot worker, long since)
            {
                arguments.Clear();
                arguments.Add(TraceArgument.Of("form", "Running"));
                arguments.Add(TraceArgument.Of("state", worker.State.ToString()));
                if (worker.Origin is { } origin) arguments.Add(TraceArgument.Of("route", origin));
                if (worker.TraceId != default) arguments.Add(TraceArgument.Of("traceId", worker.TraceId.ToString(), isUnique: true));
                if (worker.Id < Activities.Length && Activities[worker.Id] is { } activity)
                {
                    arguments.Add(TraceArgument.Of("activity", activity.Activity.ToString()));
                    if (activity.Channel is { } channel) arguments.Add(TraceArgument.Of("channel", channel));
                }
                to.Slice(
                    new TraceSlice(process, FirstWorker + worker.Id, Nanoseconds(since), Math.Max(0, Time.ToNanoseconds(Time.Now - since)), worker.Kind ?? "work"),
                    CollectionsMarshal.AsSpan(arguments));
            }

            void WriteCounters(PoolSample sample)
            {
                long at = (long)((sample.At - origin) * 1e6);
                to.Counter(process, at, "queue", ("high", sample.QueueHigh), ("normal", sample.QueueNormal), ("low", sample.QueueLow));
                to.Counter(process, at, "suspended", ("items", sample.Suspended));
                to.Counter(process, at, "refused", ("items", sample.Refused.Values.Sum()));
            }
        }
    }
}
