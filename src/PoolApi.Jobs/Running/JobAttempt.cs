using System.Diagnostics;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <summary>An attempt that this instance has claimed, from the claim until its end is written. Thread-safe.</summary>
internal sealed class JobAttempt : IDisposable
{
    /// <summary>The longest time that a timer can be set to. No attempt runs that long.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    private readonly CancellationTokenSource _stop = new();
    private readonly ProgressReporter _progress;
    private readonly Action<JobAttempt> _started;
    private Task _cancelled = Task.CompletedTask;
    private ITimer? _deadline;
    private ITimer? _patience;
    private int _why; // a StopReason; only the first is kept
    private int _hasStarted;
    private bool _isLate;
    private bool _isEnding;

    /// <summary>Creates the attempt.</summary>
    /// <param name="claim">The claim.</param>
    /// <param name="priority">The priority in the pool.</param>
    /// <param name="progress">Writes the progress to the store.</param>
    /// <param name="started">Called once, when a worker has taken the attempt.</param>
    internal JobAttempt(JobClaim claim, WorkPriority priority, ProgressReporter progress, Action<JobAttempt> started)
    {
        (Claim, Priority, _progress, _started) = (claim, priority, progress, started);
        Stopping = _stop.Token;
    }

    /// <summary>The claim. When the attempt has ended, it no longer has the body.</summary>
    public JobClaim Claim { get; internal set; }

    /// <summary>The bytes that the attempt holds of the budget. Used by the attempt's own flow only.</summary>
    internal long Held { get; set; }

    /// <summary>The priority of the attempt in the pool. The job's own priority is used by claims only.</summary>
    public WorkPriority Priority { get; }

    /// <summary>The trace of the attempt; none until the executor has begun one.</summary>
    internal ActivityTraceId TraceId { get; set; }

    /// <summary>The worker that began with it; <see langword="null"/>: none has.</summary>
    internal string? WorkerName { get; private set; }

    internal CancellationToken Stopping { get; }

    internal StopReason Why => (StopReason)Volatile.Read(ref _why);

    /// <summary>Whether the deadline has passed, also if the attempt was stopped for another reason first.</summary>
    internal bool IsLate => Volatile.Read(ref _isLate);

    /// <summary>Whether the attempt has ended, and only its end is left to write.</summary>
    internal bool IsEnding
    {
        get => Volatile.Read(ref _isEnding);
        set => Volatile.Write(ref _isEnding, value);
    }

    internal bool HasStarted => Volatile.Read(ref _hasStarted) != 0;

    /// <summary>Completes when the end of the attempt is written, or will not be written by this instance. Set by the dispatcher.</summary>
    internal Task Completion { get; set; } = Task.CompletedTask;

    /// <summary>Ends the writing of progress, since the end of the attempt is written next.</summary>
    /// <returns>Completes when no progress is being written and all callbacks of the token have returned.</returns>
    internal Task SettleAsync() => Task.WhenAll(_progress.SettleAsync(), Volatile.Read(ref _cancelled));

    /// <summary>Reports that a worker has taken the attempt. Called on the worker. Only the first call has an effect.</summary>
    public void Started()
    {
        WorkerName ??= Thread.CurrentThread.Name;
        if (Interlocked.Exchange(ref _hasStarted, 1) == 0) _started(this);
    }

    /// <summary>Reports the progress of the work. Cheap: only whole percents are written, at most ten times a second, and the latest too, unless the attempt ends first.</summary>
    /// <param name="progress">The progress, 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The progress is not within 0 to 1.</exception>
    public void Report(double progress)
    {
        if (!(progress is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(progress), progress, "0 to 1.");
        _progress.Report(progress);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _deadline?.Dispose();
        _patience?.Dispose();
        _stop.Dispose();
    }

    /// <summary>Cancels the attempt's token. Only the first reason is kept.</summary>
    internal void Stop(StopReason why)
    {
        if (Interlocked.CompareExchange(ref _why, (int)why, 0) != 0) return;
        try
        {
            // CancelAsync, because the caller is a thread of the store or of a timer, and callbacks of the work may block.
            Volatile.Write(ref _cancelled, _stop.CancelAsync());
        }
        catch (ObjectDisposedException)
        {
            // The attempt has just ended.
        }
    }

    internal void StopIn(TimeSpan time, TimeProvider clock)
    {
        if (time <= TimeSpan.Zero) StopLate();
        else if (time < LongestTimer) _deadline = clock.CreateTimer(static attempt => ((JobAttempt)attempt!).StopLate(), this, time, Timeout.InfiniteTimeSpan);
    }

    internal void StopUnlessStartedIn(TimeSpan time, TimeProvider clock) => _patience = clock.CreateTimer(
        static state =>
        {
            var attempt = (JobAttempt)state!;
            if (!attempt.HasStarted) attempt.Stop(StopReason.NoWorker); // an attempt that starts at this moment is stopped and handed back too
        },
        this, time, Timeout.InfiniteTimeSpan);

    private void StopLate()
    {
        Volatile.Write(ref _isLate, true);
        Stop(StopReason.Deadline);
    }
}

/// <summary>Why an attempt was stopped.</summary>
internal enum StopReason
{
    /// <summary>The dispatcher did not stop it. The pool may have.</summary>
    None,

    /// <summary>The cancellation of the job was requested.</summary>
    Cancelled,

    /// <summary>The job's deadline has passed.</summary>
    Deadline,

    /// <summary>The lease was lost.</summary>
    LeaseLost,

    /// <summary>This instance stops.</summary>
    Draining,

    /// <summary>No worker was free for too long.</summary>
    NoWorker,
}
