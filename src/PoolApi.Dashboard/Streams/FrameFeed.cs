using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Jobs;

namespace PoolApi.Dashboard.Streams;

/// <summary>The frames of the pools' page: made once, for however many watch, twice a second while anybody does.</summary>
/// <remarks>
/// <para>A watcher has a place in the last frames, and nothing else: one that reads slowly, or not at all, costs no more. If the next frame it
/// needs has been dropped, it gets a snapshot instead. So it does if it comes again after too long, or after the server was started anew.</para>
/// <para>Without watchers there is no timer.</para>
/// </remarks>
internal sealed class FrameFeed : IDisposable
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
    private readonly Queue<string> _kept = new();
    private readonly Dictionary<IFeedPart, long> _told = [];
    private readonly CancellationTokenSource _over = new();
    private long _last; // the number of the newest frame
    private int _characters;
    private int _watchers;
    private bool _isRunning;
    private (long Frame, string Text)? _snapshot;
    private TaskCompletionSource _next = NewSignal();

    public FrameFeed(PoolMonitor monitor, RunningJobs jobs, string instance, IReadOnlyList<IFeedPart> parts, TimeProvider time)
    {
        (_monitor, Instance, _parts, _time) = (monitor, instance, parts, time);
        _frames = new PoolFrames(monitor, jobs, time);
    }

    /// <summary>Names this run of the process, so that a page knows that it talks to another.</summary>
    public string Instance { get; }

    /// <summary>How many watch now.</summary>
    public int Watchers
    {
        get
        {
            lock (_lock) return _watchers;
        }
    }

    /// <summary>The frames after the one that the page has seen last; first a snapshot, if it has seen none that is still known.</summary>
    /// <param name="after">The id of the last event; null: none.</param>
    /// <param name="end">The app stops.</param>
    /// <param name="client">The client has gone.</param>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(string? after, CancellationToken end, [EnumeratorCancellation] CancellationToken client)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(client, end, _over.Token);
        Join();
        try
        {
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
                if (item is { } told) yield return told;
                else await next.WaitAsync(over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            if (client.IsCancellationRequested || !end.IsCancellationRequested) yield break;
            // The page shows this while the app stops: the pools as they were when the stop began.
            SseItem<string> last;
            lock (_lock)
            {
                if (seen == _last) Add();
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
            _isRunning = true;
            // What is told first is how it is now, not how it was when somebody watched last.
            Add();
        }
        using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
        _ = RunAsync(new PeriodicTimer(Period, _time));
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
                // To wait for its ticks keeps the monitor going while somebody watches.
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
                    Add();
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The app has ended.
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
                if (_told.TryGetValue(part, out long told) && told == version) continue;
                _told[part] = version;
                part.Write(json);
            }
        });
        _kept.Enqueue(frame);
        _last++;
        _characters += frame.Length;
        while (_kept.Count > MostFrames || (_characters > MostCharacters && _kept.Count > 1)) _characters -= _kept.Dequeue().Length;
        TaskCompletionSource signal = _next;
        _next = NewSignal();
        signal.TrySetResult();
    }

    /// <summary>Under the lock. Made once for all who come before the next frame.</summary>
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

    /// <returns>−1: it is no frame of this run.</returns>
    private long Parse(string? id) =>
        id is not null && id.StartsWith(Instance + "-", StringComparison.Ordinal)
        && long.TryParse(id.AsSpan(Instance.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long frame) ? frame : -1;

    private static string Write(Action<Utf8JsonWriter> content) => Encoding.UTF8.GetString(Json.Write(json =>
    {
        json.WriteStartObject();
        content(json);
        json.WriteEndObject();
    }));

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Something that the page shows beside the pools, and that changes now and then.</summary>
internal interface IFeedPart
{
    /// <summary>Grows with each change.</summary>
    long Version { get; }

    /// <summary>Writes a property.</summary>
    void Write(Utf8JsonWriter json);
}
