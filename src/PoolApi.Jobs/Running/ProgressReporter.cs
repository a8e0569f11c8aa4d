using System.Diagnostics;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Running;

/// <summary>
/// Writes an attempt's progress to the store: whole percents, one write at a time, at most ten a second. The latest report is written, also if no
/// other follows it. A write that failed is repeated after a longer pause. Thread-safe.
/// </summary>
internal sealed class ProgressReporter(IJobStore store, JobClaim claim, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private Task _writing = Task.CompletedTask;
    private bool _isWriting;
    private int _latest = -1; // the last report
    private int _written = -1;
    private long _writtenAt;
    private bool _hasFailed; // the last write
    private ITimer? _pause; // ends the pause after a write, if there is another report to write or the write failed
    private bool _isPausing; // not after a failure: the next report does not wait for the longer pause
    private bool _isSettled;

    /// <summary>Completes when the write under way has ended.</summary>
    public Task Written
    {
        get
        {
            lock (_lock) return _writing;
        }
    }

    public void Report(double progress)
    {
        lock (_lock)
        {
            _latest = (int)(progress * 100);
            WriteOrPauseLocked();
        }
    }

    /// <summary>Ends the writing: a report that waits for its pause, and later ones, are not written, since the end of the attempt supersedes them.</summary>
    /// <returns>Completes when the write under way has ended.</returns>
    public Task SettleAsync()
    {
        lock (_lock)
        {
            _isSettled = true;
            _pause?.Dispose();
            return _writing;
        }
    }

    private void WriteOrPauseLocked()
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        if (_isSettled || _isWriting || _isPausing || _latest == _written) return;
        TimeSpan left = _written < 0 ? TimeSpan.Zero : Pause - time.GetElapsedTime(_writtenAt);
        if (left <= TimeSpan.Zero)
        {
            WriteLocked();
            return;
        }
        _isPausing = true;
        StartTimerLocked(left);
    }

    private void StartTimerLocked(TimeSpan pause)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        _pause ??= time.CreateTimer(static reporter => ((ProgressReporter)reporter!).EndPause(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _pause.Change(pause, Timeout.InfiniteTimeSpan);
    }

    private void EndPause()
    {
        lock (_lock)
        {
            _isPausing = false;
            // The timer may be early by a fraction of a millisecond.
            if (!_isSettled && !_isWriting && (_hasFailed || _latest != _written)) WriteLocked();
        }
    }

    private void WriteLocked()
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        _isWriting = true;
        _written = _latest;
        _writtenAt = time.GetTimestamp();
        _writing = WriteAsync(_written / 100.0); // awaited at the end of the attempt
    }

    private async Task WriteAsync(double progress)
    {
        // This write must not resume on the worker's synchronization context. A joined pool runs no continuations, and the attempt's end waits for
        // this write.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        bool hasFailed = false;
        try
        {
            await store.ReportProgressAsync(claim, progress, CancellationToken.None);
        }
        catch (Exception)
        {
            // The next report or the end of the attempt supersedes it. If neither comes for a while, it is written again.
            hasFailed = true;
        }
        lock (_lock)
        {
            _isWriting = false;
            _hasFailed = hasFailed;
            WriteOrPauseLocked();
            if (hasFailed && !_isSettled && !_isWriting && !_isPausing) StartTimerLocked(PauseAfterFailure);
        }
    }
}
