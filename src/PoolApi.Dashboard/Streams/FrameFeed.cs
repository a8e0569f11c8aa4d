using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using PoolApi.Dashboard.History;

namespace PoolApi.Dashboard.Streams;

/// <summary>Produces the frames of the pools' page twice a second while there are watchers, once for all of them. Thread-safe.</summary>
/// <remarks>
/// <para>A watcher is only a position in the last frames, so a slow one costs no more memory. If the next frame that it needs was dropped, it
/// gets a snapshot instead. It also gets one if it reconnects after too long, or after a restart of the server.</para>
/// <para>Without watchers there is no timer.</para>
/// </remarks>
internal sealed partial class FrameFeed : IDisposable
{
    public const string SnapshotEvent = "snapshot";
    public const string FrameEvent = "frame";

    public static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);

    private const int MostFrames = 120;        // a minute
    private const int MostCharacters = 4 << 20; // of all frames together

    private readonly Lock _lock = new();
    private readonly PoolFrames _frames;
    private readonly PoolMonitor _monitor;
    private readonly IReadOnlyList<IFeedPart> _parts;
    private readonly TimeProvider _time;
    private readonly ILogger<FrameFeed> _logger;
    private readonly Queue<string> _kept = new();
    private readonly Dictionary<IFeedPart, long> _sent = [];
    private readonly CancellationTokenSource _over = new();
    private long _last; // the number of the latest frame
    private int _characters;
    private int _watchers;
    private bool _isRunning;
    private bool _hasFailed; // the latest frame could not be made
    private (long Frame, string Text)? _snapshot;
    private TaskCompletionSource _next = NewSignal();

    public FrameFeed(
        PoolMonitor monitor, RunningJobs jobs, string instance, IReadOnlyList<IFeedPart> parts, TimeProvider time, ILogger<FrameFeed> logger)
    {
        (_monitor, Instance, _parts, _time, _logger) = (monitor, instance, parts, time, logger);
        _frames = new PoolFrames(monitor, jobs, time);
    }

    /// <summary>Identifies this run of the process, so that a page notices a restart.</summary>
    public string Instance { get; }

    /// <summary>The number of watchers.</summary>
    public int Watchers
    {
        get
        {
            lock (_lock) return _watchers;
        }
    }

    /// <summary>Whether the timer is set.</summary>
    public bool IsTicking
    {
        get
        {
            lock (_lock) return _isRunning;
        }
    }

    /// <summary>Returns the frames after the last one that the page has seen. If that frame is no longer known, a snapshot comes first.</summary>
    /// <param name="after">The id of the last event that the page has seen; null: none.</param>
    /// <param name="end">Cancelled when the app stops.</param>
    /// <param name="client">Cancelled when the client disconnects.</param>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(string? after, CancellationToken end, [EnumeratorCancellation] CancellationToken client)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(client, end, _over.Token);
        try
        {
            Join();
            long seen = Parse(after);
            while (!over.IsCancellationRequested)
            {
                Task next;
                SseItem<string>? item = null;
                lock (_lock)
                {
                    next = _next.Task;
                    if (seen < _last - _kept.Count || seen > _last || seen < 0)
                    {
                        item = Item(Snapshot(), SnapshotEvent, _last);
                        seen = _last;
                    }
                    else if (seen < _last)
                    {
                        seen++;
                        item = Item(_kept.ElementAt(_kept.Count - 1 - (int)(_last - seen)), FrameEvent, seen);
                    }
                }
                if (item is { } frame) yield return frame;
                else await next.WaitAsync(over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            if (client.IsCancellationRequested || !end.IsCancellationRequested) yield break;
            // The page shows this frame while the app stops: the pools at the beginning of the stop.
            SseItem<string> last;
            lock (_lock)
            {
                if (seen == _last) TryAdd();
                last = seen == _last - 1 ? Item(_kept.Last(), FrameEvent, _last) : Item(Snapshot(), SnapshotEvent, _last);
            }
            yield return last;
        }
        finally
        {
            lock (_lock) _watchers--;
        }
    }

    public void Dispose()
    {
        _over.Cancel();
        _over.Dispose();
    }

    private void Join()
    {
        lock (_lock)
        {
            _watchers++;
            if (_isRunning) return;
            // The first frame must be current, and not the one that an earlier watcher got last.
            TryAdd();
            // The timer is created under the lock, so a thread that sees the watcher can rely on the timer.
            using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
            _ = RunAsync(new PeriodicTimer(Period, _time));
            _isRunning = true;
        }
    }

    private async Task RunAsync(PeriodicTimer timer)
    {
        using PeriodicTimer owned = timer;
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        long tick = _monitor.LastTick;
        Task<long>? sampled = null;
        try
        {
            while (await timer.WaitForNextTickAsync(_over.Token))
            {
                // Waiting for ticks keeps the monitor sampling while there are watchers.
                if (sampled is null || sampled.IsCompleted)
                {
                    if (sampled is { IsCompletedSuccessfully: true }) tick = sampled.Result;
                    sampled = _monitor.WaitForTickAsync(tick, _over.Token).AsTask();
                }
                lock (_lock)
                {
                    if (_watchers == 0)
                    {
                        _isRunning = false;
                        return;
                    }
                    TryAdd();
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The app has ended.
        }
    }

    /// <summary>
    /// Adds a frame. If that fails, later frames lack its changes, so every watcher gets a snapshot in place of the next frame. Under the lock.
    /// </summary>
    private void TryAdd()
    {
        try
        {
            Add();
        }
        catch (Exception e) when (e is not (OperationCanceledException or ObjectDisposedException))
        {
            bool isFirst = !_hasFailed;
            _hasFailed = true;
            if (!isFirst) return;
            try
            {
                LogFailed(e);
            }
            catch (Exception)
            {
                // The log throws too. The frames must continue: nothing starts them again.
            }
        }
    }

    /// <summary>Under the lock.</summary>
    private void Add()
    {
        string frame = Write(json =>
        {
            _frames.WriteDelta(json);
            foreach (IFeedPart part in _parts)
            {
                long version = part.Version;
                if (_sent.TryGetValue(part, out long sent) && sent == version) continue;
                part.Write(json);
                _sent[part] = version;
            }
        });
        if (_hasFailed)
        {
            _hasFailed = false;
            _kept.Clear();
            _characters = 0;
            _last++; // skips the number of the frame that could not be made
        }
        _kept.Enqueue(frame);
        _last++;
        _characters += frame.Length;
        while (_kept.Count > MostFrames || (_characters > MostCharacters && _kept.Count > 1)) _characters -= _kept.Dequeue().Length;
        TaskCompletionSource signal = _next;
        _next = NewSignal();
        signal.TrySetResult();
    }

    /// <summary>Creates the snapshot, once for all watchers that connect before the next frame. Called under the lock.</summary>
    private string Snapshot()
    {
        if (_snapshot is { } made && made.Frame == _last) return made.Text;
        string text = Write(json =>
        {
            _frames.WriteAll(json);
            foreach (IFeedPart part in _parts) part.Write(json);
        });
        _snapshot = (_last, text);
        return text;
    }

    private SseItem<string> Item(string text, string type, long frame) =>
        new(text, type) { EventId = string.Create(CultureInfo.InvariantCulture, $"{Instance}-{frame}") };

    /// <returns>The frame's number; −1 if it is no frame of this run of the process.</returns>
    private long Parse(string? id) =>
        id is not null && id.StartsWith(Instance + "-", StringComparison.Ordinal)
        && long.TryParse(id.AsSpan(Instance.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long frame) ? frame : -1;

    private static string Write(Action<Utf8JsonWriter> content) => Encoding.UTF8.GetString(Json.Write(json =>
    {
        json.WriteStartObject();
        content(json);
        json.WriteEndObject();
    }));

    [LoggerMessage(45, LogLevel.Error, "A frame of the pools' page could not be made")]
    private partial void LogFailed(Exception error);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>A part of the page beside the pools that changes seldom.</summary>
internal interface IFeedPart
{
    /// <summary>The version, which grows with each change.</summary>
    long Version { get; }

    /// <summary>Writes the part as a property of the frame.</summary>
    void Write(Utf8JsonWriter json);
}
