using PoolApi.Threading;

namespace PoolApi.Jobs.Running;

/// <summary>An attempt that this instance has in hand. Thread-safe.</summary>
public sealed class JobRun : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ProgressReporter _progress;
    private ITimer? _deadline;
    private int _why; // a StopReason; the first one stays
    private volatile bool _hasStarted;

    internal JobRun(JobClaim claim, WorkPriority priority, ProgressReporter progress)
    {
        (Claim, Priority, _progress) = (claim, priority, progress);
        Stopping = _stop.Token;
    }

    /// <summary>What is to be run.</summary>
    public JobClaim Claim { get; }

    /// <summary>With what priority it goes into the pool; not the job's own, which says who is claimed first.</summary>
    public WorkPriority Priority { get; }

    internal CancellationToken Stopping { get; }

    internal StopReason Why => (StopReason)Volatile.Read(ref _why);

    internal bool HasStarted => _hasStarted;

    /// <summary>Completes when no progress is being written any more.</summary>
    internal Task Reported => _progress.Written;

    /// <summary>A worker has taken it.</summary>
    public void Started() => _hasStarted = true;

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
        _stop.Dispose();
    }

    /// <summary>Asks it to stop. Only the first reason counts.</summary>
    internal void Stop(StopReason why)
    {
        if (Interlocked.CompareExchange(ref _why, (int)why, 0) != 0) return;
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended.
        }
    }

    internal void StopIn(TimeSpan time, TimeProvider clock)
    {
        if (time <= TimeSpan.Zero) Stop(StopReason.Deadline);
        else _deadline = clock.CreateTimer(static run => ((JobRun)run!).Stop(StopReason.Deadline), this, time, Timeout.InfiniteTimeSpan);
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
}
