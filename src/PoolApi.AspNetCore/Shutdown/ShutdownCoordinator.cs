using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Takes the app through its stop: every pool is drained, what misses the deadline is cancelled, every thread joined.</summary>
/// <remarks>
/// <code>
///   Starting ──► Running ──► LameDuck ──time over──► Draining ──nothing left──────────────► Joining
///                   │      (after a signal, if set)     ▲ │                                    ▲
///                   └───────────────────────────────────┘ └─deadline missed──► Cancelling ─────┘
/// </code>
/// One thread of control drives it (<see cref="PoolHostedService"/>); anyone may read the state.
/// </remarks>
internal sealed partial class ShutdownCoordinator(AppPools pools, IOptions<ShutdownOptions> options, ILogger<ShutdownCoordinator> logger)
{
    private readonly Lock _once = new();
    private readonly Stopwatch _sinceStop = new();
    private readonly List<ShutdownReport> _reports = [];
    private volatile ShutdownState _state = ShutdownState.Starting;
    private volatile string _reason = "application";
    private Task? _stop;
    private int? _exitCode;

    public ShutdownState State => _state;

    /// <summary>New work is refused.</summary>
    public bool IsClosed => _state >= ShutdownState.Draining;

    /// <summary>A connection that is used now should not be used for long.</summary>
    public bool IsStopping => _state >= ShutdownState.LameDuck;

    /// <summary>Says why the app stops; the first to say so is believed.</summary>
    public void Because(string reason) => Interlocked.CompareExchange(ref _reason, reason, "application");

    public void Started()
    {
        lock (_once)
        {
            if (_stop is null) _state = ShutdownState.Running;
        }
    }

    /// <summary>
    /// Everything up to the joined threads. The server still listens meanwhile, and its timers run. Once: the host stops
    /// twice at the same time if the app calls StopAsync while it waits for its shutdown.
    /// </summary>
    public Task StopAsync()
    {
        lock (_once) return _stop ??= StopOnceAsync();
    }

    private async Task StopOnceAsync()
    {
        ShutdownOptions times = options.Value;
        _sinceStop.Start();
        if (times.LameDuck > TimeSpan.Zero && _reason is not RequestGate.Reason)
        {
            Enter(ShutdownState.LameDuck);
            await Task.Delay(times.LameDuck).ConfigureAwait(false);
        }

        foreach (AppPool pool in pools.All) pool.Threads.Close();
        Enter(ShutdownState.Draining);
        if (!await DrainedWithinAsync(times.Drain).ConfigureAwait(false))
        {
            Enter(ShutdownState.Cancelling);
            foreach (AppPool pool in pools.All) pool.Threads.CancelAll();
            await DrainedWithinAsync(times.Cancel).ConfigureAwait(false);
        }

        Enter(ShutdownState.Joining);
        _reports.AddRange(await Task.WhenAll(pools.All.Select(pool => pool.Threads.JoinAsync(ShutdownOptions.Join))).ConfigureAwait(false));
    }

    /// <summary>The last answers are out: says what became of everything.</summary>
    /// <returns>The exit code: 0 clean, 3 work was left unfinished, 4 a thread could not be joined.</returns>
    public int Complete()
    {
        lock (_once) return _exitCode ??= CompleteOnce();
    }

    private int CompleteOnce()
    {
        int code = !_reports.TrueForAll(static r => r.Joined) ? 4 : !_reports.TrueForAll(static r => r.NothingLost) ? 3 : 0;
        PoolCounts n = _reports.Aggregate(default(PoolCounts), static (sum, r) => sum.Plus(r.Counts));
        int joined = _reports.Sum(static r => r.WorkersJoined);
        int workers = joined + _reports.Sum(static r => r.NotJoined.Count);
        LogComplete(
            code == 0 ? LogLevel.Information : LogLevel.Error, code, n.Accepted, n.Completed, n.Failed, n.Cancelled, n.Expired, n.Shed,
            n.ClientGone, n.NotStarted, n.Abandoned, joined, workers);
        return code;
    }

    private async Task<bool> DrainedWithinAsync(TimeSpan time)
    {
        try
        {
            await Task.WhenAll(pools.All.Select(static pool => pool.Threads.Drained)).WaitAsync(time).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private void Enter(ShutdownState state)
    {
        _state = state;
        PoolSnapshot[] snapshots = [.. pools.All.Select(static pool => pool.Threads.GetSnapshot())];
        LogState(state, _reason, snapshots.Sum(static s => s.InFlight), snapshots.Sum(static s => s.QueueLength), _sinceStop.ElapsedMilliseconds);
    }

    [LoggerMessage(10, LogLevel.Information, "Shutdown: {state}, reason {reason}, {inflight} in flight, {queued} queued, {elapsed} ms")]
    private partial void LogState(ShutdownState state, string reason, int inflight, int queued, long elapsed);

    [LoggerMessage(EventId = 11, Message = "Shutdown complete: exit {code}, accepted {accepted}, completed {completed}, failed {failed}, cancelled {cancelled}, "
        + "expired {expired}, shed {shed}, client gone {clientGone}, not started {notStarted}, abandoned {abandoned}, joined {joined}/{workers}")]
    private partial void LogComplete(
        LogLevel level, int code, long accepted, long completed, long failed, long cancelled, long expired, long shed, long clientGone,
        long notStarted, long abandoned, int joined, int workers);
}
