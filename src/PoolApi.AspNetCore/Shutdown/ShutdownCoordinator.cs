using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Runs the stop of the app: drains every pool, cancels the work that misses the deadline, and joins every thread.</summary>
/// <remarks>
/// <code>
///   Starting ──► Running ──► LameDuck ──time over──► Draining ──all work has ended────────► Joining ──► Flushing
///                   │      (after a signal, if set)     ▲ │                                    ▲
///                   └───────────────────────────────────┘ └─deadline missed──► Cancelling ─────┘
/// </code>
/// <para>A stop that begins before the app listens goes from Starting to Draining. Without memory to stop the pools, Joining is left out.</para>
/// <para><see cref="Begin"/> enters LameDuck or Draining, and a later call without a lame duck ends the lame duck. The flows of the stop enter the other
/// states. Any thread may read the state.</para>
/// <para>Draining has two parts, under one deadline:</para>
/// <list type="number">
/// <item>The requests (<see cref="DrainRequestsAsync"/>). New requests are refused. Admitted requests and running jobs end, then the server stops.
/// The pools stay open, because the app's own services still use them.</item>
/// <item>The pools (<see cref="DrainPoolsAsync"/>). When those services have stopped, the pools close and finish the work that they accepted.</item>
/// </list>
/// <para>At the deadline the pools close even if a service has not stopped, and all unfinished work is cancelled.</para>
/// <para>With <see cref="ProcessLifetime"/>, a second signal or the watchdog ends the stop from any state.</para>
/// </remarks>
internal sealed class ShutdownCoordinator(
    ShutdownPools pools,
    IServiceProvider services,
    IOptions<ShutdownOptions> options,
    IOptions<HostOptions> host,
    IHostApplicationLifetime lifetime,
    ShutdownLog shutdownLog,
    ProcessLifetime? process = null) : IPoolLifetime, IDisposable, IAsyncDisposable
{
    private readonly Lock _once = new();
    private readonly Stopwatch _sinceStop = new();
    private readonly TimeProvider _time = services.GetService<TimeProvider>() ?? TimeProvider.System;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _overdue = new();
    private readonly TaskCompletionSource _servicesStopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _draining = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private OpenRequests.Epoch? _requestsBeforeClose; // the requests that came before the app was closed
    private Task _poolsEnd = Task.CompletedTask; // set when the requests' part of the stop begins
    private Task? _flush;
    private List<ShutdownReport> _reports = [];
    private IUnfinishedWork[] _unfinished = [];
    private volatile ShutdownState _state = ShutdownState.Starting;
    private volatile string _reason = "application";
    private long _deadline; // of the drain, in ticks since the stop began; 0: not known yet
    private ImmutableArray<StateEntry> _entered = [];
    private Task? _stop;
    private bool _flushed = true;

    public ShutdownState State => _state;

    /// <summary>The progress of the stop, for the dashboard and the metrics.</summary>
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

    /// <summary>The states that the stop has entered so far, oldest first, each with its time.</summary>
    public ImmutableArray<StateEntry> Entered => _entered;

    /// <summary>Called with the exit code after the stop's last log line, also if the stop was cut short. It must return soon: the process ends after it.</summary>
    public Action<int>? Ending { get; set; }

    public OpenRequests Requests { get; } = new();

    public OpenConnections Connections { get; } = new();

    /// <summary>The responses that are still being written although their work on the pool has ended.</summary>
    public OpenResponses Responses { get; } = new();

    /// <summary>Whether new requests are refused. The pools may still be open.</summary>
    public bool IsClosed => _state >= ShutdownState.Draining;

    /// <summary>The exit code that the stop's last log line names; <see langword="null"/>: it is not written yet. Never waits.</summary>
    public int? ExitCode => shutdownLog.ExitCode;

    /// <summary>Whether the stop has begun. Responses then ask clients to close their connections.</summary>
    public bool IsStopping => _state >= ShutdownState.LameDuck;

    /// <summary>Cancelled when the stop begins. Ends what has no end of its own, such as event streams.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Cancelled when new requests are refused. Ends the reading of request bodies, whose work would be refused.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>Cancelled when the drain has missed its deadline. All remaining work has to end.</summary>
    public CancellationToken Overdue => _overdue.Token;

    CancellationToken IPoolLifetime.Draining => Closed;

    /// <summary>Enters Running: the server listens.</summary>
    public void Started()
    {
        lock (_once)
        {
            if (_state == ShutdownState.Starting) Become(ShutdownState.Running);
        }
    }

    /// <summary>
    /// Begins the stop. The caller also asks the host to stop. Later calls change nothing, except that a call without lame duck ends a lame
    /// duck that is under way.
    /// </summary>
    /// <param name="reason">The reason, for the log.</param>
    /// <param name="lameDuck">Whether the stop begins with the lame duck, if the settings have one.</param>
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
    /// The first part of the stop: drains the requests, then stops the server. Runs once, and every caller gets the same task: if the app calls
    /// <see cref="IHost.StopAsync"/> while it awaits WaitForShutdownAsync, the host stops twice.
    /// </summary>
    /// <remarks>
    /// If <see cref="Begin"/> was not called, the host began the stop. Without <see cref="ProcessLifetime"/> the host handles the signals,
    /// so this may be the stop of a signal, for which load balancers need the lame duck.
    /// </remarks>
    public Task DrainRequestsAsync()
    {
        if (!IsStopping) Begin(_reason, lameDuck: process is null);
        lock (_once) return _stop ??= DrainRequestsOnceAsync(options.Value);
    }

    /// <summary>
    /// Begins the second part of the stop, which drains the pools and joins their threads: the app's services have stopped. Without this call the second part
    /// begins at the deadline. Called after <see cref="DrainRequestsAsync"/>.
    /// </summary>
    /// <returns>A task that completes when the threads are joined.</returns>
    public Task OnServicesStoppedAsync()
    {
        _servicesStopped.TrySetResult();
        return Volatile.Read(ref _poolsEnd);
    }

    /// <summary>Sends the remaining telemetry, once. Called after the server's stop, so that the last requests are included.</summary>
    public Task FlushAsync()
    {
        lock (_once) return _flush ??= FlushOnceAsync();
    }

    private async Task FlushOnceAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // leaves the caller's lock
        Enter(ShutdownState.Flushing);
        using var late = new CancellationTokenSource(ShutdownOptions.Flush);
        ITelemetryFlush[] flushes = [];
        try
        {
            flushes = [.. services.GetServices<ITelemetryFlush>()];
            bool[] all = await Task.WhenAll(flushes.Select(async flush => await flush.FlushAsync(late.Token).ConfigureAwait(false))).WaitAsync(late.Token).ConfigureAwait(false);
            _flushed = Array.TrueForAll(all, static one => one);
            if (!_flushed) shutdownLog.NotFlushed(Faults("it was refused"), null);
        }
        catch (Exception e)
        {
            bool isLate = e is OperationCanceledException;
            shutdownLog.NotFlushed(Faults(isLate ? "there was no time left" : e.Message), isLate ? null : e);
            _flushed = false;
        }

        string Faults(string unknown) =>
            flushes.Select(static flush => flush.Fault).OfType<string>().ToArray() is { Length: > 0 } faults ? string.Join("; ", faults) : unknown;
    }

    /// <summary>Ends the stop when the last responses are written: logs the last line, with the counts of all accepted work.</summary>
    /// <returns>The exit code (<see cref="ShutdownLog.Close"/>).</returns>
    public int Complete()
    {
        lock (_once)
        {
            process?.StopEnds();
            int code = shutdownLog.Close(_reports, _flushed, isUnfinished: Array.Exists(_unfinished, static work => work.Count > 0));
            NotifyEnding(code);
            return code;
        }
    }

    /// <summary>
    /// Ends the stop early, since the process ends now: cancels and counts all accepted work and logs the last line. Blocks the calling
    /// thread for at most <see cref="ShutdownOptions.ForcedJoin"/>, or longer if the stop hangs while it holds its lock.
    /// </summary>
    /// <param name="reason">The reason, for the log.</param>
    /// <param name="exitCode">The exit code, for the last line.</param>
    public void CutShort(string reason, int exitCode)
    {
        shutdownLog.CutShort(reason);
        // If the stop never releases the lock, the last line is missing, and ProcessEnd.At ends the process with the exit code.
        lock (_once)
        {
            if (shutdownLog.IsClosed) return;
            CancelPools();
            // Completes at once, on this thread, or ends the wait of a join that is under way.
            Task<ShutdownReport>[] joins = [.. pools.All.Select(static pool => pool.ShutdownAsync(TimeSpan.Zero, TimeSpan.Zero))];
            Task.WaitAll(joins, ShutdownOptions.ForcedJoin);
            _reports = [.. joins.Where(static j => j.IsCompletedSuccessfully).Select(static j => j.Result)];
            NotifyEnding(shutdownLog.Close(_reports, _flushed, exitCode));
        }
    }

    private void NotifyEnding(int exitCode)
    {
        try
        {
            Ending?.Invoke(exitCode);
        }
        catch (Exception)
        {
            // The exception is not logged, because the last line is already written. The process must end.
        }
    }

    /// <summary>
    /// The same as <see cref="DisposeAsync"/>, but blocks the calling thread, as the disposal of a pool does.
    /// </summary>
    public void Dispose()
    {
        ShutDownPoolsAsync().GetAwaiter().GetResult();
        DisposeOwn();
    }

    /// <summary>
    /// The container disposes of this before the pools. Without a stop before it, as in a test, the pools have the deadline of a stop, all
    /// of them together.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await ShutDownPoolsAsync().ConfigureAwait(false);
        DisposeOwn();
    }

    /// <summary>Shuts down every pool with the deadline of the drain. After a stop this completes at once, because the pools have ended.</summary>
    private Task<ShutdownReport[]> ShutDownPoolsAsync() =>
        Task.WhenAll(pools.All.Select(pool => pool.ShutdownAsync(options.Value.Drain)));

    private void DisposeOwn()
    {
        process?.StopEnds();
        _stopping.Dispose();
        _closed.Dispose();
        _overdue.Dispose();
    }

    private async Task DrainRequestsOnceAsync(ShutdownOptions times)
    {
        // Leaves the caller's lock: the tokens below run code of the app. If that code throws, the stop continues.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        // Resolved now, because the container may be disposed of before the stop ends.
        _unfinished = [.. services.GetServices<IUnfinishedWork>()];
        // If the app calls the host's StopAsync, the host has not signalled ApplicationStopping yet. Without the signal the drain would wait for
        // requests that end only at the signal.
        if (!lifetime.ApplicationStopping.IsCancellationRequested) lifetime.StopApplication();
        await _stopping.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_state == ShutdownState.LameDuck)
        {
            TimeSpan left = times.LameDuck - _sinceStop.Elapsed;
            if (left > TimeSpan.Zero) await _draining.Task.WaitAsync(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        Task answered;
        lock (_once)
        {
            if (!IsClosed) BeginDraining();
            answered = _requestsBeforeClose!.NoneAsync();
        }
        TimeSpan deadline = _sinceStop.Elapsed + times.Drain;
        Volatile.Write(ref _deadline, deadline.Ticks);
        Task poolsEnd = StopPoolsAsync(answered, deadline, times.Cancel);
        Volatile.Write(ref _poolsEnd, poolsEnd);
        await _closed.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // At the deadline the pools stop, which ends the remaining requests.
        await Task.WhenAny(answered, poolsEnd).ConfigureAwait(false);
        // Requests whose thread could not be joined have got their result. Their responses still have to be written, and their connections closed.
        await answered.WaitAsync(ShutdownOptions.LastResponses).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Connections.CloseAsync(ShutdownOptions.LastConnections).ConfigureAwait(false);
        // The host would wait for its whole ShutdownTimeout if a client has sent half a header. A second StopAsync does nothing.
        if (services.GetService<IServer>() is not { } server) return;
        using var cut = new CancellationTokenSource(ShutdownOptions.ServerStop);
        await server.StopAsync(cut.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>The second part. A lack of memory does not fail it.</summary>
    private async Task StopPoolsAsync(Task answered, TimeSpan deadline, TimeSpan cancel)
    {
        try
        {
            await DrainPoolsAsync(answered, deadline, cancel).ConfigureAwait(false);
        }
        catch (OutOfMemoryException e)
        {
            // A pool reserves memory before each step. The stop continues. In its last line, a pool without a report counts as not joined: exit code 4.
            shutdownLog.PoolsFailed(e);
        }
    }

    /// <summary>The second part: drains the pools and joins their threads when the app's services have stopped, and at the deadline at the latest.</summary>
    /// <param name="answered">Completes when every admitted request has its response.</param>
    /// <param name="deadline">The deadline of the drain, as the time since the stop began.</param>
    /// <param name="cancel">How long cancelled work has to end.</param>
    private async Task DrainPoolsAsync(Task answered, TimeSpan deadline, TimeSpan cancel)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // DrainRequestsOnceAsync continues meanwhile
        await CompletesWithin(_servicesStopped.Task, deadline - _sinceStop.Elapsed).ConfigureAwait(false);
        Task nothingLeft = Task.WhenAll([.. pools.All.Select(static pool => pool.CloseAsync()), answered]);
        if (!await CompletesWithin(nothingLeft, deadline - _sinceStop.Elapsed).ConfigureAwait(false))
        {
            Enter(ShutdownState.Cancelling);
            CancelPools();
            await _overdue.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await CompletesWithin(nothingLeft, cancel).ConfigureAwait(false);
        }

        Enter(ShutdownState.Joining);
        _reports = [.. await Task.WhenAll(pools.All.Select(static pool => pool.ShutdownAsync(TimeSpan.Zero, ShutdownOptions.Join))).ConfigureAwait(false)];
    }

    private void CancelPools()
    {
        foreach (FixedThreadPool pool in pools.All)
        {
            try
            {
                pool.CancelAll();
            }
            catch (OutOfMemoryException)
            {
                // No memory is left for the list of this pool's items. The join cancels them again. The other pools and the streams are cancelled now.
            }
        }
    }

    /// <summary>
    /// Closes the app to new requests. Called under the lock. A request that is counted after this finds the app closed. A request that was
    /// counted before may still be accepted, and the stop waits for it.
    /// </summary>
    private void BeginDraining()
    {
        Enter(ShutdownState.Draining);
        _requestsBeforeClose = Requests.StartNewEpoch();
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

    private void Become(ShutdownState state)
    {
        Debug.Assert(ShutdownStates.IsStep(_state, state), $"The app does not become {state} when it is {_state}.");
        _state = state;
    }

    private void Enter(ShutdownState state)
    {
        Become(state);
        try
        {
            ImmutableInterlocked.Update(ref _entered, static (all, entry) => all.Add(entry), new StateEntry(state, _reason, _time.GetUtcNow()));
            shutdownLog.Entered(state, _reason, Responses.Count, _sinceStop.Elapsed);
        }
        catch (OutOfMemoryException)
        {
            // No memory is left for the entry or for its line. The stop continues without them; a signal's thread calls this without a guard.
        }
    }
}
