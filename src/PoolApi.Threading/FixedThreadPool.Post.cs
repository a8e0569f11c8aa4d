using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Posting work without a result.</content>
public sealed partial class FixedThreadPool
{
    /// <summary>
    /// Runs an action on the pool without a result to wait for. If it throws, the observer is notified
    /// (<see cref="IFixedThreadPoolObserver.UnhandledException"/>). If it never runs, the observer gets its end as for any item
    /// (<see cref="IFixedThreadPoolObserver.WorkFinished"/>).
    /// </summary>
    /// <param name="work">The action.</param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">The options of the work.</param>
    /// <returns>Whether the pool accepted it. <see langword="false"/>: the queue is full, or the pool is closed (<see cref="IsClosed"/>).</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">The options ask to wait for space, which this call cannot do.</exception>
    public bool Post(Action work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        Check(options);
        if (options.WaitForSpace) throw new ArgumentException("waitForSpace may be set only where the caller waits, not with Post.", nameof(options));
        return _core.Submit(new PostedWork(_core, work, cancellationToken, options), cancellationToken, options) == SubmitResult.Accepted;
    }
}
