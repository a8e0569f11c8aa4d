using System.Globalization;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Recording;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Traces;

/// <summary>Takes a snapshot when a trigger fires: checked at each tick and at the end of a stop. A trigger that has fired rests for the cooldown.</summary>
/// <remarks>A tick comes at most a second after the event, so its cause is in the snapshot's last two seconds.</remarks>
internal sealed class SnapshotTriggers
{
    private static readonly string[] OverloadReasons = ["queue_full", "overloaded"];

    /// <summary>How long the end of a stop waits for the files of snapshots: the process ends after it, also if the disk hangs.</summary>
    private static readonly TimeSpan LongestWrite = TimeSpan.FromSeconds(2);

    private readonly PoolMonitor _monitor;
    private readonly Snapshots _snapshots;
    private readonly TimeSpan? _slowItem;
    private readonly TimeSpan _cooldown;
    private readonly Dictionary<SnapshotTrigger, long> _fired = [];
    private readonly HashSet<(string Pool, int Worker)> _stuck = [];

    public SnapshotTriggers(PoolMonitor monitor, Snapshots snapshots, TimeSpan? slowItem, TimeSpan cooldown)
    {
        (_monitor, _snapshots, _slowItem, _cooldown) = (monitor, snapshots, slowItem, cooldown);
        monitor.Ticked += Check;
        monitor.Ended += OnEnded;
    }

    private void Check(PoolMonitor monitor)
    {
        foreach (PoolHistory pool in monitor.Pools)
        {
            if (pool.Latest is not { } sample) continue;
            foreach (WorkerSnapshot worker in pool.Snapshot.Workers)
            {
                (string, int) key = (pool.Name, worker.Id);
                if (worker.State != WorkerState.Stuck) _stuck.Remove(key);
                else if (_stuck.Add(key)) Fire(SnapshotTrigger.Stuck, $"{worker.Name} has been running {Work(worker.Kind, worker.Origin)} for {Seconds(worker.Elapsed)}");
            }
            if (sample.Finished.Expired > 0)
                Fire(SnapshotTrigger.Expiry, $"{pool.Name}: {sample.Finished.Expired} expired in the queue");
            long refused = OverloadReasons.Sum(sample.Refused.GetValueOrDefault);
            if (refused > 0) Fire(SnapshotTrigger.Overload, $"{pool.Name}: {refused} refused, {pool.Snapshot.QueueLength} of {pool.Snapshot.QueueCapacity} places taken");
            if (_slowItem is { } limit) CheckForSlowItem(pool, limit);
        }
    }

    private void CheckForSlowItem(PoolHistory pool, TimeSpan limit)
    {
        PoolTime time = pool.Records.Time;
        long ticks = time.ToTicks(limit);
        foreach (RecordedItem item in pool.LatestItems)
        {
            if (item.ItemStartedAt is not { } started || item.EndedAt - started < ticks) continue;
            TimeSpan took = TimeSpan.FromMilliseconds(time.ToMilliseconds(item.EndedAt - started));
            Fire(SnapshotTrigger.SlowItem, $"{pool.Name}: {Work(item.Kind, item.Origin)} took {Seconds(took)}");
            return;
        }
    }

    private void OnEnded(int exitCode)
    {
        if (exitCode != 0)
            Fire(SnapshotTrigger.UncleanStop, $"the stop ended with exit code {exitCode}: {string.Join(", ", _monitor.Pools.SelectMany(static pool => Left(pool.Name, pool.Pool.Threads.GetSnapshot())).DefaultIfEmpty("no work was lost"))}");
        // The process ends after this: no caller could await it.
        if (!((IAsyncResult)_snapshots.Written).AsyncWaitHandle.WaitOne(LongestWrite)) _snapshots.NoteUnwritten();

        static IEnumerable<string> Left(string name, PoolSnapshot pool)
        {
            if (pool.Counts[WorkOutcome.NotStarted] > 0) yield return $"{name}: {pool.Counts[WorkOutcome.NotStarted]} not started";
            if (pool.Counts[WorkOutcome.Abandoned] > 0) yield return $"{name}: {pool.Counts[WorkOutcome.Abandoned]} abandoned";
            if (pool.Counts[WorkOutcome.Cancelled] > 0) yield return $"{name}: {pool.Counts[WorkOutcome.Cancelled]} cancelled";
            foreach (WorkerSnapshot worker in pool.Workers)
            {
                if (worker.Elapsed is { } elapsed) yield return $"{worker.Name} has been running {Work(worker.Kind, worker.Origin)} for {Seconds(elapsed)}";
            }
        }
    }

    private void Fire(SnapshotTrigger trigger, string detail)
    {
        lock (_fired)
        {
            long now = _monitor.Time.GetTimestamp();
            if (_fired.TryGetValue(trigger, out long before) && _monitor.Time.GetElapsedTime(before, now) < _cooldown) return;
            _fired[trigger] = now;
        }
        _snapshots.Take(trigger, detail);
    }

    private static string Work(string? kind, string? origin) => origin is null ? kind ?? "work" : $"{kind} ({origin})";

    private static string Seconds(TimeSpan? time) => string.Create(CultureInfo.InvariantCulture, $"{time?.TotalSeconds ?? 0:0.###} s");
}
