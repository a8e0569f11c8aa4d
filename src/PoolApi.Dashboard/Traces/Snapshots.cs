using System.Diagnostics.Metrics;
using System.IO.Compression;
using System.Text.Json;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Streams;
using PoolApi.Dashboard.Traces.Formats;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Traces;

/// <summary>The trigger of a snapshot.</summary>
internal enum SnapshotTrigger
{
    /// <summary>A worker is stuck.</summary>
    Stuck,

    /// <summary>An item expired in the queue.</summary>
    Expiry,

    /// <summary>Items were rejected because of overload.</summary>
    Overload,

    /// <summary>An item ran longer than <see cref="PoolDashboardOptions.SlowItem"/>.</summary>
    SlowItem,

    /// <summary>The stop was unclean: work was unfinished, a thread was not joined, or the stop was cut short.</summary>
    UncleanStop,
}

/// <summary>A trace of the seconds before a trigger fired.</summary>
/// <param name="Id">The name in URLs and file names.</param>
/// <param name="At">When it was taken.</param>
/// <param name="Trigger">The trigger.</param>
/// <param name="Detail">The reason, as a sentence.</param>
/// <param name="Trace">The trace events, compressed with gzip.</param>
internal sealed record Snapshot(string Id, DateTimeOffset At, SnapshotTrigger Trigger, string Detail, byte[] Trace);

/// <summary>The last snapshots of an app, in memory and, if a directory is set, also in files. Thread-safe.</summary>
/// <remarks>
/// At most ten are kept. The oldest snapshot of the trigger that has the most is removed first, so that a long overload does not remove the one
/// snapshot of a failed stop. <see cref="SnapshotFiles"/> does the same with the files.
/// The files are written one after the other, on threads of their own: a disk that hangs must hold up neither the monitor's ticks nor a stop, and the
/// .NET ThreadPool may be starved when a stop is unclean.
/// </remarks>
internal sealed partial class Snapshots(PoolMonitor monitor, string? directory, ILogger<Snapshots> logger) : IFeedPart
{
    public const int Most = 10;

    /// <summary>The form of the time at the beginning of an id.</summary>
    public const string TimeFormat = "yyyyMMdd'T'HHmmss'Z'";

    public const double Seconds = 30;

    private readonly Lock _lock = new();
    private readonly List<Snapshot> _kept = []; // oldest first
    private readonly long[] _byTrigger = new long[Enum.GetValues<SnapshotTrigger>().Length];
    private int _taken;
    private Task _written = Task.CompletedTask;
    private int _unwritten; // the files that are not written yet

    /// <summary>The kept snapshots, oldest first.</summary>
    public IReadOnlyList<Snapshot> All
    {
        get
        {
            lock (_lock) return [.. _kept];
        }
    }

    /// <summary>Logs that a file is not written, since the process ends.</summary>
    public void NoteUnwritten() => LogNotWritten(directory ?? "", "the disk has not answered in time");

    /// <summary>Completes when the files of the snapshots so far are written, or could not be.</summary>
    public Task Written
    {
        get
        {
            lock (_lock) return _written;
        }
    }

    /// <summary>The version, which grows with each snapshot.</summary>
    public long Version => Volatile.Read(ref _taken);

    /// <summary>Writes the list for the pages, newest first.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartArray("snapshots");
        foreach (Snapshot snapshot in All.Reverse())
        {
            json.WriteStartObject();
            json.WriteString("id", snapshot.Id);
            json.WriteNumber("at", snapshot.At.ToUnixTimeMilliseconds());
            json.WriteString("trigger", Word(snapshot.Trigger));
            json.WriteString("detail", snapshot.Detail);
            json.WriteNumber("bytes", snapshot.Trace.Length);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>Exports <c>poolapi.snapshot.taken</c> by trigger, each from 0 on.</summary>
    public void Measure(IMeterFactory meters) => meters.Create(FixedThreadPool.MeterName).CreateObservableCounter(
        "poolapi.snapshot.taken",
        () => _byTrigger.Select((_, i) => new Measurement<long>(
            Volatile.Read(ref _byTrigger[i]), new KeyValuePair<string, object?>("trigger", Word((SnapshotTrigger)i)))),
        "{snapshot}",
        "Snapshots that were taken, by what went wrong.");

    public Snapshot? Find(string id)
    {
        lock (_lock) return _kept.Find(s => s.Id == id);
    }

    /// <summary>Takes a snapshot now.</summary>
    public Snapshot Take(SnapshotTrigger trigger, string detail)
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest, leaveOpen: true))
        {
            using Utf8JsonWriter json = ReadableJson.NewWriter(gzip);
            TraceExport.Write(monitor, Seconds, new JsonTraceWriter(json));
        }
        DateTimeOffset at = monitor.Time.GetUtcNow();
        Snapshot taken;
        lock (_lock)
        {
            string id = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{at.ToString(TimeFormat, System.Globalization.CultureInfo.InvariantCulture)}-{Word(trigger)}-{++_taken}");
            taken = new Snapshot(id, at, trigger, detail, memory.ToArray());
            if (_kept.Count == Most) _kept.Remove(FirstToGo(_kept, static s => Word(s.Trigger), trigger));
            _kept.Add(taken);
            _byTrigger[(int)trigger]++;
        }
        LogTaken(taken.Id, detail);
        if (directory is not null) QueueFile(directory, taken);
        return taken;
    }

    /// <summary>Chooses which snapshot goes when one is added: the oldest of the trigger that then has the most.</summary>
    /// <param name="kept">The others, the oldest first.</param>
    /// <param name="triggerOf">Gets the trigger's word.</param>
    /// <param name="added">The trigger of the new one.</param>
    public static T FirstToGo<T>(IEnumerable<T> kept, Func<T, string> triggerOf, SnapshotTrigger added) =>
        kept.GroupBy(triggerOf).MaxBy(group => group.Count() + (group.Key == Word(added) ? 1 : 0))!.First();

    public static string Word(SnapshotTrigger trigger) => trigger switch
    {
        SnapshotTrigger.Stuck => "stuck",
        SnapshotTrigger.Expiry => "expiry",
        SnapshotTrigger.Overload => "overload",
        SnapshotTrigger.SlowItem => "slow-item",
        _ => "unclean-stop",
    };

    private void QueueFile(string directory, Snapshot taken)
    {
        lock (_lock)
        {
            if (_unwritten < Most)
            {
                _unwritten++;
                _written = _written.ContinueWith(
                    _ => WriteFile(directory, taken), CancellationToken.None, TaskContinuationOptions.LongRunning, TaskScheduler.Default);
                return;
            }
        }
        LogNotWritten(SnapshotFiles.PathOf(directory, taken.Id), $"{Most} earlier snapshots are not written yet");
    }

    private void WriteFile(string directory, Snapshot taken)
    {
        try
        {
            SnapshotFiles.Write(directory, taken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotWritten(SnapshotFiles.PathOf(directory, taken.Id), e.Message);
        }
        finally
        {
            lock (_lock) _unwritten--;
        }
    }

    [LoggerMessage(40, LogLevel.Debug, "Snapshot {id}: {detail}")] // at Debug: the cause has its own line, or a client caused it, and clients must not make the log grow
    private partial void LogTaken(string id, string detail);

    [LoggerMessage(41, LogLevel.Error, "The snapshot could not be written to {file}: {reason}")]
    private partial void LogNotWritten(string file, string reason);
}
