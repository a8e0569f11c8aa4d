using PoolApi.AspNetCore.Endpoints;
using PoolApi.Dashboard.Recording;
using PoolApi.Threading;

namespace PoolApi.Dashboard.History;

/// <summary>Samples of a pool: of each second for five minutes, and of each ten seconds for an hour. Fixed memory.</summary>
/// <remarks>Written by the monitor's tick and read by others, both under the monitor's lock.</remarks>
internal sealed class PoolHistory
{
    public const int Seconds = 300;
    public const int TensOfSeconds = 360;
    private const int SecondsOfLong = 10;

    private readonly PoolContext _pool;
    private readonly TimeProvider _time;
    private readonly SampleRing _short = new(Seconds);
    private readonly SampleRing _long = new(TensOfSeconds);
    private readonly RecordCursor _cursor = new();
    private readonly KindTimes _times = new();
    private readonly KindTimes _longTimes = new();
    private readonly List<PoolSample> _sinceLong = [];
    private readonly List<RecordedItem> _items = [];
    private readonly Dictionary<string, long> _refused = new(StringComparer.Ordinal);

    private FinishedCounts _finished;
    private long _accepted;
    private double _busySeconds;
    private long _sampledAt; // a time stamp

    public PoolHistory(PoolContext pool, TimeProvider time)
    {
        _pool = pool;
        _time = time;
        Records = new RecordReader(pool.Threads);
        Snapshot = pool.Threads.GetSnapshot();
        _sampledAt = time.GetTimestamp();
        // Counts from before the first sample have no rate.
        (_accepted, _finished) = (Snapshot.Accepted, Finished(Snapshot));
        _busySeconds = Busy(Snapshot);
        foreach ((string reason, long count) in pool.Threads.Core.Records.Refusals) _refused[reason] = count;
        Records.Read(_cursor, _items);
        _items.Clear();
    }

    public string Name => _pool.Threads.Name;

    public PoolContext Pool => _pool;

    public RecordReader Records { get; }

    /// <summary>The snapshot of the last tick.</summary>
    public PoolSnapshot Snapshot { get; private set; }

    /// <summary>The sample of the last tick.</summary>
    public PoolSample? Latest { get; private set; }

    /// <summary>The records that the last tick has read. The next tick replaces them.</summary>
    public IReadOnlyList<RecordedItem> LatestItems => _items;

    /// <summary>Whether no item is queued or in flight, and none was accepted since the last sample.</summary>
    public bool IsIdle
    {
        get
        {
            PoolSnapshot now = _pool.Threads.GetSnapshot();
            return now.QueueLength == 0 && now.InFlight == 0 && now.Accepted == _accepted;
        }
    }

    public PoolSample[] ByTheSecond() => _short.ToArray();

    public PoolSample[] ByTenSeconds() => _long.ToArray();

    /// <summary>Resumes sampling after a pause in which the pool was idle.</summary>
    /// <param name="resumedAt">The end of the pause, a time stamp.</param>
    public void FillGap(long resumedAt)
    {
        double gap = _time.GetElapsedTime(_sampledAt, resumedAt).TotalSeconds;
        if (gap <= 0) return;
        long end = UnixNow() - (long)_time.GetElapsedTime(resumedAt).TotalMilliseconds;
        int missing = (int)Math.Min(gap, SecondsOfLong * TensOfSeconds);
        for (int i = missing; i > 0; i--) Add(new PoolSample { At = end - ((i - 1) * 1000L), Seconds = 1, Workers = Snapshot.Workers.Count });
        _sampledAt = resumedAt;
    }

    /// <summary>Adds the sample of the time since the last sample.</summary>
    public PoolSample Sample()
    {
        long now = _time.GetTimestamp();
        double seconds = _time.GetElapsedTime(_sampledAt, now).TotalSeconds;
        PoolSnapshot snapshot = _pool.Threads.GetSnapshot();
        _items.Clear();
        int unread = Records.Read(_cursor, _items);
        PoolTime time = Records.Time;
        foreach (RecordedItem item in _items) _times.Add(item, time);

        double busy = Busy(snapshot);
        FinishedCounts finished = Finished(snapshot);
        int live = snapshot.Workers.Count(static w => w.State != WorkerState.Stopped);
        var sample = new PoolSample
        {
            At = UnixNow(),
            Seconds = seconds,
            Utilization = seconds <= 0 || live == 0 ? 0 : Math.Clamp((busy - _busySeconds) / (seconds * live), 0, 1),
            Workers = live,
            Stuck = snapshot.Workers.Count(static w => w.State == WorkerState.Stuck),
            QueueHigh = snapshot.GetQueueLength(WorkPriority.High),
            QueueNormal = snapshot.GetQueueLength(WorkPriority.Normal),
            QueueLow = snapshot.GetQueueLength(WorkPriority.Low),
            OldestAgeMs = snapshot.OldestAge?.TotalMilliseconds ?? 0,
            Suspended = snapshot.Suspended,
            BodyBytes = _pool.Bodies.Used,
            Accepted = snapshot.Accepted - _accepted,
            Finished = finished - _finished,
            Refused = NewlyRefused(),
            Kinds = _times.ToSamples(),
            Unread = unread,
        };
        (_sampledAt, _accepted, _finished, _busySeconds, Snapshot) = (now, snapshot.Accepted, finished, busy, snapshot);
        _longTimes.Add(_times);
        _times.Clear();
        Add(sample);
        Latest = sample;
        return sample;
    }

    private void Add(PoolSample sample)
    {
        _short.Add(sample);
        _sinceLong.Add(sample);
        if (_sinceLong.Count < SecondsOfLong) return;
        _long.Add(Merge(_sinceLong, _longTimes));
        _longTimes.Clear();
        _sinceLong.Clear();
    }

    private static PoolSample Merge(List<PoolSample> samples, KindTimes times)
    {
        double seconds = samples.Sum(static s => s.Seconds);
        return new PoolSample
        {
            At = samples[^1].At,
            Seconds = seconds,
            Utilization = seconds <= 0 ? 0 : samples.Sum(static s => s.Utilization * s.Seconds) / seconds,
            Workers = samples[^1].Workers,
            Stuck = samples.Max(static s => s.Stuck),
            QueueHigh = samples.Max(static s => s.QueueHigh),
            QueueNormal = samples.Max(static s => s.QueueNormal),
            QueueLow = samples.Max(static s => s.QueueLow),
            OldestAgeMs = samples.Max(static s => s.OldestAgeMs),
            Suspended = samples.Max(static s => s.Suspended),
            BodyBytes = samples.Max(static s => s.BodyBytes),
            Accepted = samples.Sum(static s => s.Accepted),
            Finished = samples.Aggregate(default(FinishedCounts), static (sum, s) => sum + s.Finished),
            Refused = samples.SelectMany(static s => s.Refused).GroupBy(static r => r.Key).ToDictionary(static g => g.Key, static g => g.Sum(static r => r.Value)),
            Kinds = times.ToSamples(),
            Unread = samples.Sum(static s => s.Unread),
        };
    }

    private Dictionary<string, long> NewlyRefused()
    {
        Dictionary<string, long> refused = [];
        foreach ((string reason, long count) in _pool.Threads.Core.Records.Refusals)
        {
            long before = _refused.GetValueOrDefault(reason);
            if (count == before) continue;
            refused[reason] = count - before;
            _refused[reason] = count;
        }
        return refused;
    }

    private long UnixNow() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private static double Busy(PoolSnapshot snapshot) => snapshot.Workers.Sum(static w => w.BusyTime.TotalSeconds);

    private static FinishedCounts Finished(PoolSnapshot snapshot) => new(
        snapshot.Counts[WorkOutcome.Completed], snapshot.Counts[WorkOutcome.Failed], snapshot.Counts[WorkOutcome.Cancelled], snapshot.Counts[WorkOutcome.Expired], snapshot.Counts[WorkOutcome.Withdrawn],
        snapshot.Counts[WorkOutcome.NotStarted], snapshot.Counts[WorkOutcome.Abandoned], snapshot.Counts[WorkOutcome.TimedOut]);
}
