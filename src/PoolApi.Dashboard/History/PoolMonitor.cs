using System.Runtime.CompilerServices;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Dashboard.Recording;
using PoolApi.Threading.Core;

namespace PoolApi.Dashboard.History;

/// <summary>Samples the pools of an app once a second, while one of them has work or somebody watches.</summary>
/// <remarks>
/// <code>
///            work is taken, or somebody waits for a tick
///   at rest ─────────────────────────────────────────────► ticking, once a second
///      ▲                                                      │
///      └────── a tick found every pool idle, nobody waits ────┘
/// </code>
/// At rest there is no timer. Before it rests it asks each pool to be called at the next work, and then looks at the pools again: work that
/// came meanwhile is found by one of the two.
/// </remarks>
internal sealed partial class PoolMonitor : IDisposable
{
    // The lifetime object is the app's own, so there is one monitor for an app, however often it maps the dashboard.
    private static readonly ConditionalWeakTable<IHostApplicationLifetime, PoolMonitor> ByApp = [];

    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly object _lock = new(); // also taken by workers, where an interrupt must not strike
    private readonly IServiceProvider _services;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private PoolHistory[] _pools = [];
    private Dictionary<string, ActivityReader> _activities = [];
    private TaskCompletionSource<long> _next = NewTick();
    private long _tick;
    private int _waiters;
    private bool _isTicking;
    private long _resumedAt; // a time stamp; 0: there was no pause
    private bool _isOver;

    private PoolMonitor(IServiceProvider services)
    {
        _services = services;
        _time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        _logger = services.GetRequiredService<ILoggerFactory>().CreateLogger<PoolMonitor>();
        using (ExecutionContext.SuppressFlow())
            _timer = _time.CreateTimer(static self => ((PoolMonitor)self!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The monitor of an app; made with the first call, which must come before the app has stopped. It begins when the app has started.</summary>
    public static PoolMonitor Of(IServiceProvider services)
    {
        var lifetime = services.GetRequiredService<IHostApplicationLifetime>();
        return ByApp.GetValue(lifetime, l =>
        {
            var monitor = new PoolMonitor(services);
            l.ApplicationStarted.Register(monitor.Begin);
            l.ApplicationStopped.Register(monitor.Dispose);
            return monitor;
        });
    }

    /// <summary>Told after each tick, on its thread, in the order of the ticks.</summary>
    public event Action<PoolMonitor>? Ticked;

    /// <summary>Told with the exit code when the app's stop has ended.</summary>
    public event Action<int>? Ended;

    /// <summary>The app's clock.</summary>
    public TimeProvider Time => _time;

    /// <summary>The number of the last tick; 0: there was none.</summary>
    public long LastTick => Volatile.Read(ref _tick);

    /// <summary>Every pool of the app, in the order of their registration; none before the app has started.</summary>
    public IReadOnlyList<PoolHistory> Pools => Volatile.Read(ref _pools);

    /// <summary>The app's stop; null before the app has started.</summary>
    public ShutdownCoordinator? Shutdown { get; private set; }

    /// <summary>Whether its timer is set.</summary>
    public bool IsTicking
    {
        get
        {
            lock (_lock) return _isTicking;
        }
    }

    /// <summary>The number of the next tick after the one seen; completes at once if that has come. As long as somebody waits, there are ticks.</summary>
    /// <remarks>At the end of the app it is cancelled.</remarks>
    public async ValueTask<long> WaitForTickAsync(long seen, CancellationToken cancellationToken)
    {
        Task<long> next;
        lock (_lock)
        {
            if (_tick > seen) return _tick;
            ObjectDisposedException.ThrowIf(_isOver, this);
            next = _next.Task;
            _waiters++;
            Resume();
        }
        try
        {
            return await next.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (_lock) _waiters--;
        }
    }

    /// <summary>What a busy worker does, as of the last tick; null: unknown.</summary>
    public WorkerActivityView? ActivityOf(string pool, int worker)
    {
        lock (_lock) return _activities.GetValueOrDefault(pool)?.Of(worker);
    }

    /// <summary>Reads the histories at one moment, between two ticks.</summary>
    public T Read<T>(Func<IReadOnlyList<PoolHistory>, T> read)
    {
        lock (_lock) return read(_pools);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_isOver) return;
            _isOver = true;
            _isTicking = false;
            _timer.Dispose();
            _next.TrySetCanceled();
        }
    }

    private void Begin()
    {
        lock (_lock)
        {
            if (_isOver) return;
            PoolContext[] pools = [.. _services.GetRequiredService<PoolContexts>().All];
            Volatile.Write(ref _pools, [.. pools.Select(pool => new PoolHistory(pool, _time))]);
            _activities = pools.ToDictionary(static p => p.Threads.Name, p => new ActivityReader(p.Threads, _time));
            Shutdown = _services.GetRequiredService<ShutdownCoordinator>();
            Shutdown.Ending = code => Ended?.Invoke(code);
            GcWatch.Start();
            if (_waiters > 0) Resume();
            else RestUnlessBusy();
        }
    }

    /// <summary>Under the lock.</summary>
    private void Resume()
    {
        if (_isTicking || _isOver || _pools.Length == 0) return;
        _isTicking = true;
        _resumedAt = _time.GetTimestamp();
        TimerSetting.Set(_timer, Period);
    }

    /// <summary>On a worker's thread.</summary>
    private void WorkBegins()
    {
        using (new UninterruptibleLock(_lock)) Resume();
    }

    /// <summary>Under the lock.</summary>
    private void RestUnlessBusy()
    {
        foreach (PoolHistory pool in _pools) pool.Pool.Threads.Core.Records.OnWork(WorkBegins); // then look: see OnWork
        if (!_pools.All(static pool => pool.IsIdle)) Resume();
    }

    private void Tick()
    {
        TaskCompletionSource<long> ended;
        lock (_lock)
        {
            if (_isOver) return;
            if (_resumedAt != 0)
            {
                foreach (PoolHistory pool in _pools) pool.FillGap(_resumedAt);
                _resumedAt = 0;
            }
            bool isIdle = true;
            foreach (PoolHistory pool in _pools)
            {
                PoolSample sample = pool.Sample();
                isIdle &= sample.Accepted == 0 && sample.Finished.Total == 0 && pool.Snapshot is { QueueLength: 0, InFlight: 0 };
                _activities[pool.Name].Read(pool.Snapshot);
            }
            _tick++;
            ended = _next;
            _next = NewTick();
            if (isIdle && _waiters == 0)
            {
                _isTicking = false;
                RestUnlessBusy();
            }
            else
            {
                TimerSetting.Set(_timer, Period);
            }
        }
        try
        {
            Ticked?.Invoke(this);
        }
        catch (Exception e)
        {
            LogFailed(e); // who looks at the pools must not end the process that has them
        }
        ended.TrySetResult(Volatile.Read(ref _tick));
    }

    [LoggerMessage(42, LogLevel.Error, "What is done at each tick of the pools' monitor failed")]
    private partial void LogFailed(Exception error);

    private static TaskCompletionSource<long> NewTick() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
