using System.Runtime.CompilerServices;
using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>
/// A fixed number of dedicated threads that share one bounded queue.
/// </summary>
/// <remarks>
/// <para><b>Purpose.</b> Work that blocks or computes for long starves the .NET ThreadPool, and with it everything else in the
/// process. This pool gives it threads of its own, a bounded queue and an orderly stop.</para>
/// <para><b>Cost.</b> Items may take from tens of nanoseconds to hours and come from any number of threads. A submission costs three
/// compare-and-swaps and never waits for a worker. A worker takes an item under a lock that it holds for some tens of nanoseconds. A worker
/// without work spins for 3 µs, then yields its core at least 16 times and until 50 µs have passed, and then sleeps on a futex. An idle pool
/// uses no CPU. Waking a thread takes tens of microseconds. So the pool wakes one worker at a time, and that worker wakes the next one only
/// if there is more work.</para>
/// <para><b>Promise.</b> Every accepted item ends exactly once, with one <see cref="WorkOutcome"/>, also across a shutdown, and
/// the counts add up at every moment (<see cref="PoolSnapshot"/>).</para>
/// <para>All members are safe to call from any thread, the pool's own workers included, unless they say otherwise.</para>
/// </remarks>
public sealed partial class FixedThreadPool : IDisposable, IAsyncDisposable
{
    /// <summary>
    /// The name of the meter under which every pool reports: <c>PoolApi</c>. Its meter is the process's own, or one of
    /// <see cref="FixedThreadPoolOptions.MeterFactory"/>.
    /// </summary>
    public const string MeterName = "PoolApi";

    private readonly PoolCore _core;
    private readonly PoolShutdown _shutdown;

    /// <summary>Creates the pool and starts its threads.</summary>
    /// <param name="options">The options; <see langword="null"/> for the defaults. Later changes of the object have no effect.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range. The message names it and its range.</exception>
    /// <exception cref="OutOfMemoryException">The system gave no thread. The threads that had started have ended.</exception>
    /// <exception cref="Exception"><see cref="FixedThreadPoolOptions.CreateWorkerState"/> threw it. Every thread has ended.</exception>
    public FixedThreadPool(FixedThreadPoolOptions? options = null)
    {
        options = (options ?? new FixedThreadPoolOptions()).ToValid();
        _core = new PoolCore(options, this);
        _shutdown = new PoolShutdown(_core);
        TaskScheduler = new PoolTaskScheduler(_core);
        SynchronizationContext = new PoolSynchronizationContext(_core);
        _core.Workers.Start();
        _core.Instruments.Add(_core);
    }

    /// <summary>The pool whose worker the calling thread is; <see langword="null"/> on any other thread.</summary>
    public static FixedThreadPool? Current => Worker.Current?.Core.Owner;

    internal PoolCore Core => _core;

    /// <summary>The pool's name.</summary>
    public string Name => _core.Name;

    /// <summary>
    /// The state that <see cref="FixedThreadPoolOptions.CreateWorkerState"/> created for the calling worker;
    /// <see langword="null"/> on any other thread.
    /// </summary>
    public static object? CurrentWorkerState => Worker.Current?.State;

    /// <summary>The number of workers that the pool was created with or resized to.</summary>
    public int Workers => _core.Workers.Size;

    /// <summary>
    /// Runs tasks on the pool: <c>Task.Factory.StartNew(…, pool.TaskScheduler)</c>. A scheduler cannot refuse the
    /// continuation of a task that has begun, so its tasks may exceed the queue's capacity. Use <c>RunAsync</c> for a bounded queue.
    /// Each task counts as an item of the kind <c>task</c>. After the pool is closed, only its own workers can queue a task. A task that another
    /// thread queues then fails (<see cref="TaskSchedulerException"/>). A worker that waits for a task (<c>Task.Wait</c>) runs the task itself,
    /// unless another thread has begun it. A task that no worker has begun within <see cref="FixedThreadPoolOptions.MaxQueueTime"/>, or before
    /// the pool has stopped, runs on the .NET ThreadPool: the pool cannot hand a task back, and a caller may wait for it.
    /// </summary>
    public TaskScheduler TaskScheduler { get; }

    /// <summary>
    /// Runs callbacks on the pool, as items of the kind <c>callback</c>, which may exceed the queue's capacity. After the pool is closed, only
    /// its own workers can post or send; any other thread gets a <see cref="WorkRejectedException"/>. A posted callback that no worker begins
    /// in time runs on the .NET ThreadPool, as a task of <see cref="TaskScheduler"/> does. On the pool's own workers <c>Send</c> runs the
    /// callback in place. On any other thread it blocks and throws the callback's exception, <see cref="WorkRejectedException"/> if no worker
    /// began the callback in time, or <see cref="WorkAbandonedException"/> if the pool stopped before the callback ended. Code that awaits
    /// under this context returns to the pool, but a stop does not wait for such an await. A stop waits for the awaits of <c>RunAsync</c>,
    /// which has a context of its own for each call.
    /// </summary>
    public SynchronizationContext SynchronizationContext { get; }

    /// <summary>Whether the pool is closed, so that it refuses new work. Cheap: it takes no lock.</summary>
    public bool IsClosed => _core.IsClosed;

    /// <summary>
    /// Submits an item. Never blocks, and allocates nothing (with a token: one small object and a registration).
    /// </summary>
    /// <param name="item">The item. It may be submitted again when it has ended.</param>
    /// <param name="cancellationToken">
    /// Cancels the item. A queued item is removed at once and frees its place. A running item's own token is cancelled.
    /// </param>
    /// <param name="options">
    /// The priority and limits. The item itself has its kind and origin, and this call never waits: such options are refused.
    /// </param>
    /// <returns>
    /// Whether the pool accepted the item, which will then end exactly once. <see langword="false"/>: the queue is full, or the pool is closed
    /// (<see cref="IsClosed"/>). The same holds on a worker of the pool: a full queue refuses its items too (<see cref="Run{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/> runs in place instead).
    /// </returns>
    /// <exception cref="InvalidOperationException">
    /// The item is submitted and has not ended, or it is an asynchronous item that has run on another pool.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">An option has no meaning for an item, or the item belongs to a call, a task or a callback.</exception>
    public bool TrySubmit(PoolWorkItem item, CancellationToken cancellationToken = default, in WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(item);
        if (item.IsOfPool) throw OfPool(nameof(item));
        CheckOfItem(options);
        return _core.Submit(item, cancellationToken, options) == SubmitResult.Accepted;
    }

    /// <summary>
    /// Submits many items at once, with one reservation and one push for all. As many as there is space for are accepted, from the
    /// front, and they are queued in that order with nothing between them.
    /// </summary>
    /// <param name="items">The items, each once.</param>
    /// <param name="cancellationToken">Cancels each of them.</param>
    /// <param name="options">The priority and limits of each of them.</param>
    /// <returns>The number of accepted items, from the front. If not all, the queue is full or the pool is closed (<see cref="IsClosed"/>).</returns>
    /// <exception cref="InvalidOperationException">
    /// One of them has been submitted and has not ended, or is an asynchronous item that has run on another pool. None was accepted.
    /// </exception>
    /// <exception cref="ArgumentException">
    /// An option has no meaning for an item, or one of the items belongs to a call, a task or a callback. None was accepted.
    /// </exception>
    public int TrySubmit(ReadOnlySpan<PoolWorkItem> items, CancellationToken cancellationToken = default, in WorkOptions options = default)
    {
        foreach (PoolWorkItem? item in items)
        {
            if (item is { IsOfPool: true }) throw OfPool(nameof(items));
        }
        CheckOfItem(options);
        return _core.Submit(items, cancellationToken, options, out _);
    }

    /// <summary>Waits asynchronously until there is space in the queue.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// <see langword="true"/>: there was space, which another submitter may take first. <see langword="false"/>: the pool is closed.
    /// </returns>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    public ValueTask<bool> WaitForSpaceAsync(CancellationToken cancellationToken = default) => _core.Space.WaitAsync(cancellationToken);

    /// <summary>
    /// Changes the number of workers. Additional workers start at once. Of surplus workers, an idle one leaves now and a busy one when it
    /// is done. No accepted item is lost or run twice. A new pool has the ids 0 to N−1. An added worker
    /// gets a free id, or else the next one. The remaining workers keep their ids.
    /// </summary>
    /// <param name="workers">1 to <see cref="FixedThreadPoolOptions.MaxWorkers"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is out of its range.</exception>
    /// <remarks>Does nothing once the pool is closed. If the system gives no thread, the pool continues with those it has, and
    /// the observer is notified (<see cref="IFixedThreadPoolObserver.WorkerDied"/>).</remarks>
    public void Resize(int workers)
    {
        if (workers is < 1 or > FixedThreadPoolOptions.MaxWorkers)
            throw new ArgumentOutOfRangeException(nameof(workers), workers, $"workers must be 1 to {FixedThreadPoolOptions.MaxWorkers}.");
        _core.Workers.Resize(workers);
    }

    /// <summary>The pool and every worker at one moment. Takes the pool's lock for a time proportional to the workers.</summary>
    public PoolSnapshot GetSnapshot() => _core.Views.GetSnapshot();

    /// <summary>Closes the pool: it refuses new work, and accepted work continues. The first step of a stop, for callers that run the steps one by one.</summary>
    /// <returns>A task that completes when every accepted item has ended. It never fails, and every call returns the same one.</returns>
    public Task CloseAsync()
    {
        _shutdown.Close();
        return _core.Stop.Drained;
    }

    /// <summary>
    /// Closes the pool, ends all queued items as <see cref="WorkOutcome.NotStarted"/>, and cancels the tokens of
    /// all running items. Does nothing if the pool has drained. A later <see cref="ShutdownAsync"/> joins the threads.
    /// </summary>
    public void CancelAll() => _shutdown.CancelAll();

    /// <summary>
    /// Stops the pool: closes it and finishes accepted work until the deadline. Then it hands back queued items and cancels running ones, as
    /// <see cref="CancelAll"/> does, and waits for the workers during the grace time. An item that has not ended by then counts as
    /// <see cref="WorkOutcome.Abandoned"/>. Threads that have ended are joined, the others are left behind.
    /// </summary>
    /// <param name="deadline">How long accepted work may take to end, or <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <param name="grace">
    /// How long the workers then have to return from cancelled work and to dispose of their states. Zero or more, or
    /// <see cref="Timeout.InfiniteTimeSpan"/>. Default: <see langword="null"/>, 2 seconds. Afterwards the threads have one second more to end, all of
    /// them together.
    /// </param>
    /// <returns>A task with the report. It never fails, and every call returns the same one.</returns>
    /// <remarks>Only the times of the first call count, except that a later call with zero for both ends the wait.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A time is negative and not infinite.</exception>
    /// <exception cref="InvalidOperationException">Called on a worker of this pool, which cannot join itself.</exception>
    public Task<ShutdownReport> ShutdownAsync(TimeSpan deadline, TimeSpan? grace = null)
    {
        ThrowIfNoTimeout(deadline);
        TimeSpan thenAtMost = grace ?? PoolShutdown.DefaultGrace;
        ThrowIfNoTimeout(thenAtMost, nameof(grace));
        ThrowIfOnWorker();
        return _shutdown.ShutdownAsync(deadline, thenAtMost);
    }

    /// <summary>
    /// Stops the pool as <see cref="ShutdownAsync"/> does, with a deadline of 30 seconds and a grace time of 2 seconds. If the pool has already
    /// drained, this joins its threads. For other times, call that method first. Blocks the caller. If a stop is under way, waits for it. Does
    /// nothing after a stop.
    /// </summary>
    /// <exception cref="InvalidOperationException">Called on a worker of this pool, which cannot join itself.</exception>
    public void Dispose()
    {
        ThrowIfOnWorker();
        _shutdown.Close();
        // Blocks the caller, as documented.
        if (_shutdown.WaitUntilDrained()) _shutdown.JoinDrained();
        else _shutdown.ShutdownAsync(TimeSpan.Zero, PoolShutdown.DefaultGrace).GetAwaiter().GetResult();
        _core.Instruments.Remove(_core);
    }

    /// <summary>The same as <see cref="Dispose"/> without blocking the caller.</summary>
    public async ValueTask DisposeAsync()
    {
        await ShutdownAsync(PoolShutdown.DrainOfDispose).ConfigureAwait(false);
        _core.Instruments.Remove(_core);
    }

    private static void ThrowIfNoTimeout(TimeSpan value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (value < TimeSpan.Zero && value != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be zero or more, or infinite.");
    }

    private static void Check(in WorkOptions options)
    {
        if (options.Priority is < WorkPriority.Low or > WorkPriority.High)
            throw new ArgumentOutOfRangeException(nameof(options), options.Priority, "priority must be Low, Normal or High.");
        if (options.MaxQueueTime is { } limit && limit < TimeSpan.Zero && limit != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(options), limit, "maxQueueTime must be zero or more, or infinite.");
        if (options.MaxRunTime is { } run && run <= TimeSpan.Zero && run != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(options), run, "maxRunTime must be more than zero, or infinite.");
    }

    private static void CheckOfItem(in WorkOptions options)
    {
        Check(options);
        if (options.Kind is not null || options.Origin is not null)
            throw new ArgumentException("kind and origin may be set only for a call; an item has properties of these names.", nameof(options));
        if (options.WaitForSpace)
            throw new ArgumentException("waitForSpace may be set only where the caller waits, not with TrySubmit.", nameof(options));
    }

    private static ArgumentException OfPool(string name) =>
        new("The item belongs to a call, a task or a callback of a pool, and cannot be submitted.", name);

    private void ThrowIfOnWorker()
    {
        if (Worker.Current?.Core == _core)
        {
            throw new InvalidOperationException(
                $"A worker of the pool '{Name}' cannot stop its own pool: it would wait for itself. Do it on another thread.");
        }
    }
}
