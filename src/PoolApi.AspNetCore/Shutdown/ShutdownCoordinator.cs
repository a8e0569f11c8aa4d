using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Takes the app through its stop: every pool is drained, what misses the deadline is cancelled, every thread joined.</summary>
/// <remarks>
/// <code>
///   Starting ──► Running ──► LameDuck ──time over──► Draining ──nothing left──────────────► Joining ──► Flushing
///                   │      (after a signal, if set)     ▲ │                                    ▲
///                   └───────────────────────────────────┘ └─deadline missed──► Cancelling ─────┘
/// </code>
/// <para>The first state of a stop is entered by whoever asks for it, the rest by one thread of control; anyone may read the state.</para>
/// <para>Draining has two parts, under one deadline:</para>
/// <list type="number">
/// <item>The requests (<see cref="StopAsync"/>). New ones are refused. Each request that was let in, and each job that runs, ends; then the
/// server stops. The pools stay open: the app's own services use them.</item>
/// <item>The pools (<see cref="StopPoolsAsync"/>). When those services have stopped, the pools close and finish what they accepted.</item>
/// </list>
/// <para>At the deadline the pools close, whatever has not stopped yet, and what has not ended is cancelled.</para>
/// <para>If the process belongs to the pools (<see cref="ProcessLifetime"/>), a second signal and the watchdog cut this short from any state.</para>
/// </remarks>
internal sealed class ShutdownCoordinator(
    PoolContexts pools,
    IServiceProvider services,
    IOptions<ShutdownOptions> options,
    IOptions<HostOptions> host,
    IHostApplicationLifetime lifetime,
    ShutdownLog account,
    ProcessLifetime? process = null) : IPoolLifetime, IDisposable, IAsyncDisposable
{
    private readonly Lock _once = new();
    private readonly Stopwatch _sinceStop = new();
    private readonly TimeProvider _time = services.GetService<TimeProvider>() ?? TimeProvider.System;
    private readonly CancellationTokenSource _leaving = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _overdue = new();
    private readonly TaskCompletionSource _servicesStopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _draining = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private OpenRequests.Epoch? _letIn; // the requests that came before the app was closed
    private Task _poolsEnd = Task.CompletedTask; // set when the requests' part of the stop begins
    private Task? _flush;
    private List<ShutdownReport> _reports = [];
    private IUnfinishedWork[] _unfinished = [];
    private volatile ShutdownState _state = ShutdownState.Starting;
    private volatile string _reason = "application";
    private long _deadline; // of the drain, in ticks since the beginning of the stop; 0: not known yet
    private ImmutableArray<StateEntry> _entered = [];
    private Task? _stop;
    private bool _flushed = true;

    public ShutdownState State => _state;

    /// <summary>How far the stop is, for people who watch it.</summary>
    public ShutdownProgress Progress
    {
        get
        {
            ShutdownState state = _state;
            if (state < ShutdownState.LameDuck) return new ShutdownProgress(state, null, TimeSpan.Zero, null);
            TimeSpan elapsed = _sinceStop.Elapsed;
            ShutdownOptions times = options.Value;
            TimeSpan drained = Volatile.Read(ref _deadline) is > 0 and var ticks ? TimeSpan.FromTicks(ticks)
                : (state == ShutdownState.LameDuck ? times.LameDuck : TimeSpan.Zero) + times.Drain;
            TimeSpan? left = state switch
            {
                ShutdownState.LameDuck or ShutdownState.Draining => drained - elapsed,
                ShutdownState.Cancelling => drained + times.Cancel - elapsed,
                _ => null,
            };
            return new ShutdownProgress(state, _reason, elapsed, left < TimeSpan.Zero ? TimeSpan.Zero : left);
        }
    }

    /// <summary>The states that the stop has entered so far, each with its time.</summary>
    public ImmutableArray<StateEntry> Entered => _entered;

    /// <summary>Called with the exit code when the stop has ended, clean or cut short, after the last line. It must return soon: the process ends then.</summary>
    public Action<int>? Ending { get; set; }

    public OpenRequests Requests { get; } = new();

    public OpenConnections Connections { get; } = new();

    /// <summary>Answers that are being written after the work on the pool has ended.</summary>
    public OpenAnswers Answers { get; } = new();

    /// <summary>New requests are refused. The pools themselves may still be open.</summary>
    public bool IsClosed => _state >= ShutdownState.Draining;

    /// <summary>A connection that is used now should not be used for long.</summary>
    public bool IsStopping => _state >= ShutdownState.LameDuck;

    /// <summary>Cancelled when the stop begins: what would go on for ever, such as a stream of events, ends.</summary>
    public CancellationToken Leaving => _leaving.Token;

    /// <summary>Cancelled when new requests are refused: to read a body to its end would be in vain.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>Cancelled when the stop has missed its deadline: what is left has to end.</summary>
    public CancellationToken Overdue => _overdue.Token;

    CancellationToken IPoolLifetime.Draining => Closed;

    /// <summary>The server listens.</summary>
    public void Started()
    {
        lock (_once)
        {
            if (_state == ShutdownState.Starting) _state = ShutdownState.Running;
        }
    }

    /// <summary>
    /// Begins the stop; who calls this asks the host to stop as well. Only the first call counts, except that one without a
    /// lame duck ends one that is under way.
    /// </summary>
    /// <param name="reason">Why.</param>
    /// <param name="lameDuck">Whether work is accepted for a while longer, if the settings say so.</param>
    public void Begin(string reason, bool lameDuck)
    {
        lock (_once)
        {
            if (IsStopping)
            {
                if (_state == ShutdownState.LameDuck && !lameDuck) BeginDraining();
                return;
            }
            _reason = reason;
            _sinceStop.Start();
            ShutdownOptions times = options.Value;
            process?.StopBegins(this, times, host.Value);
            if (lameDuck && times.LameDuck > TimeSpan.Zero && _state == ShutdownState.Running) Enter(ShutdownState.LameDuck);
            else BeginDraining();
        }
    }

    /// <summary>
    /// The requests' part of the stop, up to the stopped server. Once: the host stops twice at the same time if the app
    /// calls StopAsync while it waits for its shutdown.
    /// </summary>
    /// <remarks>
    /// A stop that nobody has begun comes from the host. Where signals are the host's too, it may come from a signal, and then load balancers
    /// need the lame duck.
    /// </remarks>
    public Task StopAsync()
    {
        if (!IsStopping) Begin(_reason, lameDuck: process is null);
        lock (_once) return _stop ??= StopOnceAsync(options.Value);
    }

    /// <summary>The pools' part of the stop, up to the joined threads. After <see cref="StopAsync"/>, when nobody submits any more.</summary>
    public Task StopPoolsAsync()
    {
        _servicesStopped.TrySetResult();
        return Volatile.Read(ref _poolsEnd);
    }

    /// <summary>Sends what telemetry is left. After the server's stop: it includes the last requests. Once, as the stop.</summary>
    public Task FlushAsync()
    {
        lock (_once) return _flush ??= FlushOnceAsync();
    }

    private async Task FlushOnceAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // as the stop: not under the lock
        Enter(ShutdownState.Flushing);
        using var late = new CancellationTokenSource(ShutdownOptions.Flush);
        ITelemetryFlush[] flushes = [];
        try
        {
            flushes = [.. services.GetServices<ITelemetryFlush>()];
            bool[] all = await Task.WhenAll(flushes.Select(flush => flush.FlushAsync(late.Token))).WaitAsync(late.Token).ConfigureAwait(false);
            _flushed = Array.TrueForAll(all, static one => one);
            if (!_flushed) account.NotFlushed(Faults("it was refused"), null);
        }
        catch (Exception e)
        {
            bool isLate = e is OperationCanceledException;
            account.NotFlushed(Faults(isLate ? "there was no time left" : e.Message), isLate ? null : e);
            _flushed = false;
        }

        string Faults(string unknown) =>
            flushes.Select(static flush => flush.Fault).OfType<string>().ToArray() is { Length: > 0 } faults ? string.Join("; ", faults) : unknown;
    }

    /// <summary>The last answers are out: says what became of everything.</summary>
    /// <returns>The exit code (<see cref="ShutdownLog.Close"/>).</returns>
    public int Complete()
    {
        lock (_once)
        {
            process?.StopEnds();
            int code = account.Close(_reports, _flushed, isUnfinished: Array.Exists(_unfinished, static work => work.Count > 0));
            Tell(code);
            return code;
        }
    }

    /// <summary>
    /// The process ends now: what was accepted is handed back and counted, and the log has its last line. Blocks the calling thread, which
    /// is nobody else's, for at most <see cref="ShutdownOptions.ForcedJoin"/>, unless the stop itself hangs under its lock.
    /// </summary>
    public void CutShort(string reason, int exitCode)
    {
        account.CutShort(reason);
        // The stop may hold the lock for ever; then this end has no line, and the last resort gives the code.
        lock (_once)
        {
            if (account.IsClosed) return;
            foreach (PoolContext pool in pools.All) pool.Threads.CancelAll();
            // Done at once, on this thread; or by a join that is under way, which waits no longer.
            Task<ShutdownReport>[] joins = [.. pools.All.Select(static pool => pool.Threads.JoinAsync(TimeSpan.Zero))];
            Task.WaitAll(joins, ShutdownOptions.ForcedJoin);
            _reports = [.. joins.Where(static j => j.IsCompletedSuccessfully).Select(static j => j.Result)];
            Tell(account.Close(_reports, _flushed, exitCode));
        }
    }

    private void Tell(int exitCode)
    {
        try
        {
            Ending?.Invoke(exitCode);
        }
        catch (Exception)
        {
            // Nobody is left to be told, and the process must end.
        }
    }

    /// <summary>
    /// As <see cref="DisposeAsync"/>. Blocks the caller, as disposing of a pool does.
    /// </summary>
    public void Dispose()
    {
        StopPoolsOfNoStopAsync().GetAwaiter().GetResult();
        DisposeOwn();
    }

    /// <summary>
    /// The container disposes of this before the pools. Without a stop before it, as in a test, the pools have the deadline of a stop, all
    /// of them together.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await StopPoolsOfNoStopAsync().ConfigureAwait(false);
        DisposeOwn();
    }

    /// <summary>After a stop this is nothing: the pools have ended.</summary>
    private Task<ShutdownReport[]> StopPoolsOfNoStopAsync() =>
        Task.WhenAll(pools.All.Select(pool => pool.Threads.ShutdownAsync(ShutdownMode.Drain, options.Value.Drain)));

    private void DisposeOwn()
    {
        process?.StopEnds();
        _leaving.Dispose();
        _closed.Dispose();
        _overdue.Dispose();
    }

    private async Task StopOnceAsync(ShutdownOptions times)
    {
        // Not under the caller's lock: what ends with these tokens is other people's code, and if it fails, the stop goes on.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        // At the end of the stop somebody may have disposed of the services already.
        _unfinished = [.. services.GetServices<IUnfinishedWork>()];
        // An app that calls StopAsync by itself has told nobody yet who waits to be told, and whom the drain would wait for.
        if (!lifetime.ApplicationStopping.IsCancellationRequested) lifetime.StopApplication();
        await _leaving.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_state == ShutdownState.LameDuck)
        {
            TimeSpan left = times.LameDuck - _sinceStop.Elapsed;
            if (left > TimeSpan.Zero) await _draining.Task.WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        Task answered;
        lock (_once)
        {
            if (!IsClosed) BeginDraining();
            answered = _letIn!.NoneAsync();
        }
        TimeSpan deadline = _sinceStop.Elapsed + times.Drain;
        Volatile.Write(ref _deadline, deadline.Ticks);
        Task poolsEnd = StopPoolsOnceAsync(answered, deadline, times.Cancel);
        Volatile.Write(ref _poolsEnd, poolsEnd);
        await _closed.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // At the deadline the pools are stopped, which ends the requests that are left.
        await Task.WhenAny(answered, poolsEnd).ConfigureAwait(false);
        // Those whose thread could not be joined have been told; their answers, and the ends of their connections, take a moment.
        await answered.WaitAsync(ShutdownOptions.LastAnswers).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Connections.CloseAsync(ShutdownOptions.LastConnections).ConfigureAwait(false);
        // The host would give it all of its own time, for a client that has sent half a header. Stopped twice, it stops once.
        if (services.GetService<IServer>() is not { } server) return;
        using var cut = new CancellationTokenSource(ShutdownOptions.ServerStop);
        await server.StopAsync(cut.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Stops the pools as soon as nobody submits any more, and at the deadline in any case.</summary>
    /// <param name="answered">Completes when every request that was let in has its answer.</param>
    /// <param name="deadline">As a time since the beginning of the stop.</param>
    /// <param name="cancel">How long what is cancelled has to end.</param>
    private async Task StopPoolsOnceAsync(Task answered, TimeSpan deadline, TimeSpan cancel)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the requests' part goes on meanwhile
        await CompletesWithin(_servicesStopped.Task, deadline - _sinceStop.Elapsed).ConfigureAwait(false);
        foreach (PoolContext pool in pools.All) pool.Threads.Close();
        Task nothingLeft = Task.WhenAll([.. pools.All.Select(static pool => pool.Threads.Drained), answered]);
        if (!await CompletesWithin(nothingLeft, deadline - _sinceStop.Elapsed).ConfigureAwait(false))
        {
            Enter(ShutdownState.Cancelling);
            foreach (PoolContext pool in pools.All) pool.Threads.CancelAll();
            await _overdue.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await CompletesWithin(nothingLeft, cancel).ConfigureAwait(false);
        }

        Enter(ShutdownState.Joining);
        _reports = [.. await Task.WhenAll(pools.All.Select(static pool => pool.Threads.JoinAsync(ShutdownOptions.Join))).ConfigureAwait(false)];
    }

    /// <summary>
    /// Refuses new requests from here on. Under the lock. A request that is counted after this finds the app closed; one that was counted
    /// before may still be accepted, and is waited for.
    /// </summary>
    private void BeginDraining()
    {
        Enter(ShutdownState.Draining);
        _letIn = Requests.StartNewEpoch();
        _draining.TrySetResult();
    }

    private static async Task<bool> CompletesWithin(Task task, TimeSpan time)
    {
        try
        {
            await task.WaitAsync(time > TimeSpan.Zero ? time : TimeSpan.Zero).ConfigureAwait(false);
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
        ImmutableInterlocked.Update(ref _entered, static (all, entry) => all.Add(entry), new StateEntry(state, _reason, _time.GetUtcNow()));
        account.Entered(state, _reason, Answers.Count, _sinceStop.Elapsed);
    }
}
