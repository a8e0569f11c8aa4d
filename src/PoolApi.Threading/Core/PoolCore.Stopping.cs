namespace PoolApi.Threading.Core;

/// <summary>The steps of a stop; <see cref="PoolShutdown"/> puts them in order.</summary>
/// <remarks>
/// <code>
///   Running ──Close──► Draining ──Stop──► Stopping ──last worker exits, or Abandon──► Stopped
/// </code>
/// A worker exits when the pool is stopping and nothing waits or is in flight (an item suspended in an await may still
/// need it), or when the pool has stopped.
/// </remarks>
internal sealed partial class PoolCore
{
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _finished;
    private int _interrupted; // items asked to stop by CancelInFlight that did not complete

    public TimeProvider Time => _time;

    /// <summary>Completes when the pool is closed and everything it accepted has ended.</summary>
    public Task Drained => _drained.Task;

    /// <summary>Completes when the loop of every worker has ended.</summary>
    public Task Exited => _exited.Task;

    private bool IsEmptyLocked => _queue.Count == 0 && _inFlight.Count == 0;

    private bool MayExitLocked => _state == PoolState.Stopped || (_state == PoolState.Stopping && IsEmptyLocked);

    /// <summary>Starts every worker; if the system refuses one thread, those already started are ended again.</summary>
    public void StartWorkers()
    {
        int started = 0;
        try
        {
            for (; started < _workers.Length; started++) _workers[started].Start();
        }
        catch
        {
            lock (_gate) _live = started;
            Stop();
            foreach (Worker worker in _workers.AsSpan(0, started)) worker.Join(Timeout.InfiniteTimeSpan);
            _expiry?.Dispose();
            throw;
        }
    }

    /// <summary>From here on nothing more is accepted.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_state != PoolState.Running) return;
            _state = PoolState.Draining;
            NothingLeftLocked();
        }
    }

    /// <summary>Blocks the caller until the pool is closed and everything it accepted has ended.</summary>
    public void WaitUntilDrained()
    {
        lock (_gate)
        {
            while (!_drained.Task.IsCompleted) Monitor.Wait(_gate);
        }
    }

    /// <summary>Blocks the caller until the loop of every worker has ended.</summary>
    public void WaitUntilExited()
    {
        lock (_gate)
        {
            while (_live > 0) Monitor.Wait(_gate);
        }
    }

    /// <summary>Blocks the caller until every worker has been dealt with.</summary>
    public void WaitUntilFinished()
    {
        lock (_gate)
        {
            while (!_finished) Monitor.Wait(_gate);
        }
    }

    /// <summary>Ends everything that waits as not started. Oldest first.</summary>
    public IReadOnlyList<PoolWorkItem> HandBackWaiting()
    {
        var items = new List<PoolWorkItem>();
        lock (_gate)
        {
            while (_queue.TryDequeue(out PoolWorkItem? item))
            {
                EndLocked(item, WorkOutcome.NotStarted);
                items.Add(item);
            }
        }
        foreach (PoolWorkItem item in items) Notify(item, WorkOutcome.NotStarted, null);
        return items;
    }

    /// <summary>Cancels the token of everything in flight; whether it ends is up to the work.</summary>
    /// <returns>How many items that were.</returns>
    public int CancelInFlight()
    {
        PoolWorkItem[] items;
        lock (_gate)
        {
            items = _inFlight.ToArray();
            foreach (PoolWorkItem item in items) item.StopSignalled = true;
        }
        // Not awaited: the stop goes on while callbacks run. Each reports its own failure.
        foreach (PoolWorkItem item in items) _ = item.SignalStopAsync();
        return items.Length;
    }

    /// <summary>Tells the workers to end as soon as nothing is left for them.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            if (_state < PoolState.Stopping) _state = PoolState.Stopping;
            NothingLeftLocked();
            WakeAllLocked();
        }
    }

    /// <summary>
    /// Gives up on what is still in flight: it ends as abandoned, sleeping workers end, and the workers returned are those
    /// that are still inside an item's code.
    /// </summary>
    /// <param name="abandoned">How many items it has ended.</param>
    public Worker[] Abandon(out int abandoned)
    {
        PoolWorkItem[] items;
        Worker[] running;
        long now = _time.GetTimestamp();
        lock (_gate)
        {
            _state = PoolState.Stopped;
            items = _inFlight.ToArray();
            foreach (PoolWorkItem item in items)
            {
                item.StopSignalled = true;
                item.EndedAt = now;
                EndInFlightLocked(item, WorkOutcome.Abandoned);
            }
            running = Array.FindAll(_workers, static w => w is { HasExited: false, Item: not null });
            WakeAllLocked();
        }
        foreach (PoolWorkItem item in items) Notify(item, WorkOutcome.Abandoned, null);
        abandoned = items.Length;
        return running;
    }

    /// <summary>Every worker has been dealt with.</summary>
    public void Finish()
    {
        lock (_gate)
        {
            _state = PoolState.Stopped;
            _finished = true;
            Monitor.PulseAll(_gate); // WaitUntilFinished
        }
        _expiry?.Dispose();
    }

    private void NothingLeftLocked()
    {
        if (_state < PoolState.Draining || !IsEmptyLocked) return;
        _drained.TrySetResult();
        Monitor.PulseAll(_gate); // WaitUntilDrained
        if (_state >= PoolState.Stopping) WakeAllLocked();
    }

    private void WakeAllLocked()
    {
        while (PopSleeperLocked() is { } sleeper) sleeper.Wake();
    }

    private void ExitLocked(Worker worker)
    {
        worker.HasExited = true;
        if (--_live > 0) return;
        _exited.TrySetResult();
        Monitor.PulseAll(_gate); // WaitUntilExited
    }
}
