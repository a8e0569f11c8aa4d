using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Calls;

namespace PoolApi.Threading;

/// <content>Work that nobody waits for.</content>
public sealed partial class FixedThreadPool
{
    /// <summary>
    /// Runs an action on the pool, and nobody waits for it. If it throws, the observer is told
    /// (<see cref="IFixedThreadPoolObserver.UnhandledException"/>); if it never runs, the observer is told that as of any item
    /// (<see cref="IFixedThreadPoolObserver.WorkFinished"/>).
    /// </summary>
    /// <param name="work">The action.</param>
    /// <param name="cancellationToken">Cancels the work, queued or running.</param>
    /// <param name="options">What else to say about the work.</param>
    /// <returns>Whether the pool accepted it. <see langword="false"/>: the queue is full, or the pool is closed (<see cref="IsClosed"/>).</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">The options ask to wait for space: this call cannot wait.</exception>
    public bool Post(Action work, CancellationToken cancellationToken = default, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        Check(options);
        if (options.WaitForSpace) throw new ArgumentException("waitForSpace may be set where the caller waits, and not with Post.", nameof(options));
        return _core.Submit(new PostedWork(_core, work, cancellationToken, options), cancellationToken, options) == SubmitResult.Accepted;
    }
}
