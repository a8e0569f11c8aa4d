using System.Runtime.CompilerServices;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Dashboard.Recording;
using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Dashboard.History;

/// <summary>Samples the pools of an app once a second while a pool has work or a watcher waits for a tick. Thread-safe.</summary>
/// <remarks>
/// <code>
///            a pool takes work, or a watcher waits for a tick
///   at rest ─────────────────────────────────────────────► ticking, once a second
///      ▲                                                      │
///      └───── a tick finds every pool idle and no watcher ────┘
/// </code>
/// At rest there is no timer. Before the monitor rests, it registers a callback for the next work with each pool, and then checks the pools
/// again. So either the callback or the check finds work that arrives meanwhile.
/// </remarks>
internal sealed partial class PoolMonitor : IDisposable
{
    // Keyed by the app's lifetime object: one monitor for each app, also if the app maps the dashboard several times.
    private static readonly ConditionalWeakTable<IHostApplicationLifetime, PoolMonitor> ByApp = [];

    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly object _lock = new(); // an object and not a Lock: workers take it, and Thread.Interrupt must not strike there
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
    private bool _isRaising; // a tick's handlers run
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

    /// <summary>Returns the app's monitor. The first call creates it and must come before the app has stopped. It samples from the app's start on.</summary>
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

    /// <summary>Raised after each tick, on the tick's thread. While a handler runs, there is no further tick.</summary>
    public event Action<PoolMonitor>? Ticked;

    /// <summary>Raised with the exit code when the app's stop has ended.</summary>
    public event Action<int>? Ended;

    /// <summary>The app's clock.</summary>
    public TimeProvider Time => _time;

    /// <summary>The number of the last tick; 0 before the first.</summary>
    public long LastTick => Volatile.Read(ref _tick);

    /// <summary>The pools of the app in the order of their registration; empty before the app has started.</summary>
    public IReadOnlyList<PoolHistory> Pools => Volatile.Read(ref _pools);

    /// <summary>The coordinator of the app's stop; null before the app has started.</summary>
    public ShutdownCoordinator? Shutdown { get; private set; }

    /// <summary>Whether the timer is set.</summary>
    public bool IsTicking
    {
        get
        {
            lock (_lock) return _isTicking;
        }
    }

    /// <summary>Waits for the tick after the given one and returns its number. Completes at once if it has come. While a caller waits, there are ticks.</summary>
    /// <remarks>The task is cancelled at the end of the app.</remarks>
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

    /// <summary>What a busy worker's thread did lately, usually in the last tick; null if that is unknown.</summary>
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
        foreach (PoolHistory pool in _pools) pool.Pool.Threads.Core.Records.OnWork(WorkBegins); // registered before the check below, see the remarks
        if (!_pools.All(static pool => pool.IsIdle)) Resume();
    }

    private void Tick()
    {
        // An exception would end the process, because the timer calls this.
        try
        {
            TaskCompletionSource<long> ended;
            lock (_lock)
            {
                if (_isOver) return;
                if (_isRaising)
                {
                    TimerSetting.Set(_timer, Period);
                    return;
                }
                try
                {
                    ended = Sample();
                }
                catch
                {
                    // The next tick samples both seconds.
                    _isTicking = true;
                    TimerSetting.Set(_timer, Period);
                    throw;
                }
                _isRaising = true;
            }
            try
            {
                Ticked?.Invoke(this);
            }
            finally
            {
                lock (_lock) _isRaising = false;
                ended.TrySetResult(Volatile.Read(ref _tick));
            }
        }
        catch (Exception e)
        {
            try
            {
                LogFailed(e);
            }
            catch (Exception)
            {
                // The log throws too. The fault cannot be reported, and the process must not end.
            }
        }
    }

    /// <summary>Under the lock.</summary>
    private TaskCompletionSource<long> Sample()
    {
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
        if (isIdle && _waiters == 0)
        {
            _isTicking = false;
            RestUnlessBusy();
        }
        else
        {
            TimerSetting.Set(_timer, Period);
        }
        TaskCompletionSource<long> ended = _next;
        _next = NewTick();
        _tick++;
        return ended;
    }

    [LoggerMessage(42, LogLevel.Error, "The pools' monitor could not take a sample, or could not evaluate it")]
    private partial void LogFailed(Exception error);

    private static TaskCompletionSource<long> NewTick() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
