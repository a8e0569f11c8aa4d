using System.Diagnostics;
using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <summary>An attempt that this instance has in hand. Thread-safe.</summary>
internal sealed class JobRun : IDisposable
{
    /// <summary>What a timer can be set to. Nothing runs for as long.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    private readonly CancellationTokenSource _stop = new();
    private readonly ProgressReporter _progress;
    private readonly Action<JobRun> _started;
    private Task _cancelled = Task.CompletedTask;
    private ITimer? _deadline;
    private ITimer? _patience;
    private int _why; // a StopReason; the first one stays
    private int _hasStarted;
    private bool _isLate;

    /// <param name="claim">The claim.</param>
    /// <param name="priority">In the pool.</param>
    /// <param name="progress">Where progress goes.</param>
    /// <param name="started">Called once, when a worker has taken it.</param>
    internal JobRun(JobClaim claim, WorkPriority priority, ProgressReporter progress, Action<JobRun> started)
    {
        (Claim, Priority, _progress, _started) = (claim, priority, progress, started);
        Stopping = _stop.Token;
    }

    /// <summary>What is to be run. Once the attempt has ended, it has no body any more.</summary>
    public JobClaim Claim { get; internal set; }

    /// <summary>How many bytes it has taken of the budget of the jobs in hand. Of the attempt's own flow.</summary>
    internal long Held { get; set; }

    /// <summary>With what priority it goes into the pool; not the job's own, which says who is claimed first.</summary>
    public WorkPriority Priority { get; }

    /// <summary>The trace of the attempt; none until the executor has begun one.</summary>
    internal ActivityTraceId TraceId { get; set; }

    /// <summary>The worker that began with it; <see langword="null"/>: none has.</summary>
    internal string? WorkerName { get; private set; }

    internal CancellationToken Stopping { get; }

    internal StopReason Why => (StopReason)Volatile.Read(ref _why);

    /// <summary>Its deadline has passed, whatever else it was stopped for.</summary>
    internal bool IsLate => Volatile.Read(ref _isLate);

    internal bool HasStarted => Volatile.Read(ref _hasStarted) != 0;

    /// <summary>The attempt, to the end of its being written down. Set by who begins it.</summary>
    internal Task Running { get; set; } = Task.CompletedTask;

    /// <summary>Completes when no progress is being written any more, and whoever was told to stop has been.</summary>
    internal Task Settled => Task.WhenAll(_progress.Written, Volatile.Read(ref _cancelled));

    /// <summary>A worker has taken it, and calls this on its thread. Only the first call counts.</summary>
    public void Started()
    {
        WorkerName ??= Thread.CurrentThread.Name;
        if (Interlocked.Exchange(ref _hasStarted, 1) == 0) _started(this);
    }

    /// <summary>Says how far the work is. Cheap: written down is what people can see, ten times a second at most.</summary>
    /// <param name="progress">0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not within 0 to 1.</exception>
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

    /// <summary>Asks it to stop. Only the first reason counts.</summary>
    internal void Stop(StopReason why)
    {
        if (Interlocked.CompareExchange(ref _why, (int)why, 0) != 0) return;
        try
        {
            // What the work does about it runs elsewhere: whoever asks is the store's or a timer's thread.
            Volatile.Write(ref _cancelled, _stop.CancelAsync());
        }
        catch (ObjectDisposedException)
        {
            // It has just ended.
        }
    }

    internal void StopIn(TimeSpan time, TimeProvider clock)
    {
        if (time <= TimeSpan.Zero) StopLate();
        else if (time < LongestTimer) _deadline = clock.CreateTimer(static run => ((JobRun)run!).StopLate(), this, time, Timeout.InfiniteTimeSpan);
    }

    internal void StopUnlessStartedIn(TimeSpan time, TimeProvider clock) => _patience = clock.CreateTimer(
        static state =>
        {
            var run = (JobRun)state!;
            if (!run.HasStarted) run.Stop(StopReason.NoWorker); // one that has just started is stopped, and handed back as well
        },
        this, time, Timeout.InfiniteTimeSpan);

    private void StopLate()
    {
        Volatile.Write(ref _isLate, true);
        Stop(StopReason.Deadline);
    }
}

/// <summary>Why an attempt was asked to stop.</summary>
internal enum StopReason
{
    /// <summary>It was not; the pool may have stopped it all the same.</summary>
    None,

    /// <summary>Somebody cancelled the job.</summary>
    Cancelled,

    /// <summary>The job's deadline has passed.</summary>
    Deadline,

    /// <summary>Another instance has the job now.</summary>
    LeaseLost,

    /// <summary>This instance stops.</summary>
    Draining,

    /// <summary>No worker was free for it for too long.</summary>
    NoWorker,
}
