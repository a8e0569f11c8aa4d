using System.Text.Json;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Recording;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Streams;

/// <summary>Writes the state of the pools as frames: the changes since the last frame, or everything. Not thread-safe.</summary>
internal sealed class PoolFrames(PoolMonitor monitor, RunningJobs jobs, TimeProvider time)
{
    private const int MostPieces = 800;      // of a pool, in a frame
    private const int MostPastPieces = 8000; // of a pool, in a snapshot
    private const double RememberedMs = 300_000;

    private readonly Dictionary<string, PoolState> _pools = new(StringComparer.Ordinal);

    /// <summary>Writes the changes since the last frame.</summary>
    public void WriteDelta(Utf8JsonWriter json)
    {
        json.WriteNumber("at", time.GetUtcNow().ToUnixTimeMilliseconds());
        IReadOnlyList<JobAttempt> attempts = jobs.Started();
        json.WriteStartArray("pools");
        foreach (PoolHistory pool in monitor.Pools)
        {
            if (!_pools.TryGetValue(pool.Name, out PoolState? state)) _pools.Add(pool.Name, state = new PoolState());
            json.WriteStartObject();
            json.WriteString("name", pool.Name);
            WriteWorkers(json, pool, state, attempts);

            state.Items.Clear();
            pool.Records.Read(state.Cursor, state.Items);
            PoolTime clock = pool.Records.Time;
            WritePieces(json, Piece.Of(state.Items, clock, state.IsNew ? clock.NowUnixMilliseconds - RememberedMs : 0, MostPieces));
            WriteSamples(json, pool, state);
            state.IsNew = false;
            state.Cut = clock.Now;
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>Writes the whole state as of the last frame, with the remembered past.</summary>
    public void WriteAll(Utf8JsonWriter json)
    {
        json.WriteNumber("at", time.GetUtcNow().ToUnixTimeMilliseconds());
        json.WriteStartArray("pools");
        foreach (PoolHistory pool in monitor.Pools)
        {
            json.WriteStartObject();
            json.WriteString("name", pool.Name);
            json.WriteStartArray("workers");
            if (_pools.TryGetValue(pool.Name, out PoolState? state))
            {
                foreach (WorkerRow row in state.Rows.Values) row.Write(json);
            }
            json.WriteEndArray();
            var items = new List<RecordedItem>();
            pool.Records.Read(new RecordCursor(), items);
            PoolTime clock = pool.Records.Time;
            // Records since the last frame come with the next frame.
            long cut = state?.Cut ?? long.MinValue;
            items.RemoveAll(item => item.EndedAt > cut);
            WritePieces(json, Piece.Of(items, clock, clock.NowUnixMilliseconds - RememberedMs, MostPastPieces));
            json.WriteStartArray("samples");
            foreach (PoolSample sample in monitor.Read(_ => pool.ByTheSecond())) SampleJson.Write(json, sample, pool.Snapshot.QueueCapacity);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private void WriteWorkers(Utf8JsonWriter json, PoolHistory pool, PoolState state, IReadOnlyList<JobAttempt> attempts)
    {
        PoolSnapshot now = pool.Pool.Threads.GetSnapshot();
        double clock = time.GetUtcNow().ToUnixTimeMilliseconds();
        int size = pool.Pool.Threads.Workers;
        bool isClosed = pool.Pool.Threads.IsClosed; // after the snapshot: a worker that left because the pool closed is still shown
        List<int>? gone = null;
        json.WriteStartArray("workers");
        foreach (WorkerSnapshot worker in now.Workers)
        {
            bool hasLeft = worker.State == WorkerState.Stopped && !isClosed;
            state.Rows.TryGetValue(worker.Id, out WorkerRow? before);
            if (hasLeft)
            {
                if (state.Rows.Remove(worker.Id)) (gone ??= []).Add(worker.Id);
                continue;
            }
            WorkerRow row = WorkerRow.Of(
                worker, clock, worker.Id >= size, monitor.ActivityOf(pool.Name, worker.Id), RunningJobs.JobOf(attempts, worker.Name, worker.TraceId), before);
            if (row == before) continue;
            state.Rows[worker.Id] = row;
            row.Write(json);
        }
        json.WriteEndArray();
        if (gone is null) return;
        json.WriteStartArray("gone");
        foreach (int id in gone) json.WriteNumberValue(id);
        json.WriteEndArray();
    }

    /// <summary>Writes the samples since the last frame. They are several if no page was open meanwhile, because then there were no frames.</summary>
    private void WriteSamples(Utf8JsonWriter json, PoolHistory pool, PoolState state)
    {
        if (pool.Latest is not { } latest || ReferenceEquals(latest, state.Sampled)) return;
        // The first frame needs no past samples: a page's first event is a snapshot.
        PoolSample[] samples = state.IsNew ? [latest] : monitor.Read(_ => After(state.Sampled, pool.ByTheSecond()));
        state.Sampled = samples[^1];
        json.WriteStartArray("samples");
        foreach (PoolSample sample in samples) SampleJson.Write(json, sample, pool.Snapshot.QueueCapacity);
        json.WriteEndArray();
    }

    /// <summary>The samples that follow one, by their order and not by their times, because the clock may be set. All if it is no longer among them.</summary>
    private static PoolSample[] After(PoolSample? last, PoolSample[] samples) => samples[(Array.FindLastIndex(samples, sample => ReferenceEquals(sample, last)) + 1)..];

    private static void WritePieces(Utf8JsonWriter json, List<Piece> pieces)
    {
        if (pieces.Count == 0) return;
        json.WriteStartArray("pieces");
        foreach (Piece piece in pieces) piece.Write(json);
        json.WriteEndArray();
    }

    private sealed class PoolState
    {
        public Dictionary<int, WorkerRow> Rows { get; } = [];

        public RecordCursor Cursor { get; } = new();

        public List<RecordedItem> Items { get; } = [];

        /// <summary>The last sample that was sent.</summary>
        public PoolSample? Sampled { get; set; }

        /// <summary>The time stamp of the last frame: a snapshot has only records that ended before it.</summary>
        public long Cut { get; set; }

        public bool IsNew { get; set; } = true;
    }
}
