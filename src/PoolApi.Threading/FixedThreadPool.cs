using System.Runtime.CompilerServices;
using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>
/// A fixed number of dedicated threads that share one bounded queue.
/// </summary>
/// <remarks>
/// <para><b>Why.</b> Work that blocks or computes for long starves the .NET ThreadPool, and with it everything else in the
/// process. Here it has threads of its own, a bound on how much of it may wait, and an orderly end.</para>
/// <para><b>Regime.</b> Items from a few tens of nanoseconds to hours, from any number of threads. Submitting is three
/// compare-and-swaps and never waits for a worker; taking an item holds a lock for some tens of nanoseconds. A worker with nothing to do
/// spins for 3 µs, yields its core until 50 µs have passed and 16 times at least, then sleeps on a futex; an idle pool uses no CPU. What costs is waking a sleeping thread (tens of
/// microseconds, as anywhere), so only one is woken at a time, and it wakes the next only if there is more to do.</para>
/// <para><b>Promise.</b> Whatever was accepted ends exactly once, with one <see cref="WorkOutcome"/>, also across a shutdown;
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

    /// <summary>Makes the pool and starts its threads.</summary>
    /// <param name="options">Its settings; <see langword="null"/> for the defaults. Read now, not later.</param>
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of its range; the message names it and the range.</exception>
    /// <exception cref="OutOfMemoryException">The system gave no thread; those already started have been ended.</exception>
    /// <exception cref="Exception">What <see cref="FixedThreadPoolOptions.CreateWorkerState"/> threw; every thread has been ended.</exception>
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
    /// What <see cref="FixedThreadPoolOptions.CreateWorkerState"/> made for the worker whose thread calls;
    /// <see langword="null"/> on any other thread.
    /// </summary>
    public static object? CurrentWorkerState => Worker.Current?.State;

    /// <summary>The number of workers that the pool was made with, or resized to.</summary>
    public int Workers => _core.Workers.Size;

    /// <summary>
    /// Runs tasks on the pool: <c>Task.Factory.StartNew(…, pool.TaskScheduler)</c>. A scheduler cannot refuse the
    /// continuation of a task that has begun, so its tasks go past the queue's capacity; use <c>RunAsync</c> to be bounded.
    /// Each counts as an item of the kind <c>task</c>. Once the pool is closed, a task that is queued from elsewhere than its
    /// own workers fails (<see cref="TaskSchedulerException"/>). A worker that waits for such a task (<c>Task.Wait</c>) runs it
    /// itself, if nobody has begun it. A task whose turn has not come within
    /// <see cref="FixedThreadPoolOptions.MaxQueueTime"/>, or before the pool has stopped, runs on the .NET ThreadPool: a task
    /// cannot be handed back, and somebody may wait for it.
    /// </summary>
    public TaskScheduler TaskScheduler { get; }

    /// <summary>
    /// Runs callbacks on the pool, as items of the kind <c>callback</c>: past the capacity, and once the pool is closed only
    /// from its own workers (otherwise <see cref="WorkRejectedException"/>); one that was posted and whose turn does not come
    /// runs elsewhere, as a task of <see cref="TaskScheduler"/> does. <c>Send</c> runs in place on the pool's own workers;
    /// elsewhere it blocks, and throws what the callback threw, <see cref="WorkRejectedException"/> if its turn did not come,
    /// or <see cref="WorkAbandonedException"/> if the pool stopped without it. Code that awaits under this context comes back to
    /// the pool. <c>RunAsync</c> has a context of its own for each call, so that a stop waits for what a call awaits; of what
    /// awaits under this one, the pool knows nothing until it comes back.
    /// </summary>
    public SynchronizationContext SynchronizationContext { get; }

    /// <summary>Whether the pool is closed: it accepts nothing more. Cheap: it takes no lock.</summary>
    public bool IsClosed => _core.IsClosed;

    /// <summary>
    /// Submits an item. Never blocks, and allocates nothing (with a token: one small object and a registration).
    /// </summary>
    /// <param name="item">The item; it may be submitted again once it has ended.</param>
    /// <param name="cancellationToken">
    /// Cancels the item: queued, it is removed at once and its slot is free; running, its own token is cancelled.
    /// </param>
    /// <param name="options">
    /// Its priority and limits. The item itself has its kind and origin, and this call never waits: options that say otherwise are refused.
    /// </param>
    /// <returns>
    /// Whether the pool accepted it. What is accepted will end exactly once. <see langword="false"/>: the queue is full, or the pool is closed
    /// (<see cref="IsClosed"/>). The answer is the same on a worker of the pool: a full queue is full for it too (<see cref="Run{TResult}(Func{TResult}, CancellationToken, WorkOptions)"/> runs in place instead).
    /// </returns>
    /// <exception cref="InvalidOperationException">The item has been submitted and has not ended.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names it and the range.</exception>
    /// <exception cref="ArgumentException">An option has no meaning for an item.</exception>
    public bool TrySubmit(PoolWorkItem item, CancellationToken cancellationToken = default, in WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(item);
        CheckOfItem(options);
        return _core.Submit(item, cancellationToken, options) == SubmitResult.Accepted;
    }

    /// <summary>
    /// Submits many items at once: one reservation and one push for all. As many as there is room for are accepted, from the
    /// front, and they are queued in that order with nothing between them.
    /// </summary>
    /// <param name="items">The items, each once.</param>
    /// <param name="cancellationToken">Cancels each of them.</param>
    /// <param name="options">The priority and limits of each of them.</param>
    /// <returns>How many were accepted: the first so many. Fewer than given: the queue is full, or the pool is closed (<see cref="IsClosed"/>).</returns>
    /// <exception cref="InvalidOperationException">One of them has been submitted and has not ended; none was accepted.</exception>
    public int TrySubmit(ReadOnlySpan<PoolWorkItem> items, CancellationToken cancellationToken = default, in WorkOptions options = default)
    {
        CheckOfItem(options);
        return _core.Submit(items, cancellationToken, options, out _);
    }

    /// <summary>Waits until there is room in the queue, without blocking.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// <see langword="true"/>: there was room; somebody else may take it first. <see langword="false"/>: the pool is closed.
    /// </returns>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    public ValueTask<bool> WaitForSpaceAsync(CancellationToken cancellationToken = default) => _core.Space.WaitAsync(cancellationToken);

    /// <summary>
    /// Changes the number of workers. More start at once; fewer: whoever has nothing in hand leaves now, and whoever has when he
    /// is done. Nothing that was accepted is lost, or run twice. The ids are 0 to N−1 in a pool as it was made; one that is added
    /// takes up a free id again, or else the next, and those who stay keep theirs, whichever these are.
    /// </summary>
    /// <param name="workers">1 to <see cref="FixedThreadPoolOptions.MaxWorkers"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is out of its range.</exception>
    /// <remarks>Does nothing once the pool is closed. If the system gives no thread, the pool goes on with those it has, and
    /// the observer is told (<see cref="IFixedThreadPoolObserver.WorkerDied"/>).</remarks>
    public void Resize(int workers)
    {
        if (workers is < 1 or > FixedThreadPoolOptions.MaxWorkers)
            throw new ArgumentOutOfRangeException(nameof(workers), workers, $"workers may be 1 to {FixedThreadPoolOptions.MaxWorkers}.");
        _core.Workers.Resize(workers);
    }

    /// <summary>The pool and every worker at one moment. Takes the pool's lock for a time proportional to the workers.</summary>
    public PoolSnapshot GetSnapshot() => _core.Views.GetSnapshot();

    /// <summary>Closes the pool: it accepts nothing more, and what it accepted goes on. The first step of a stop, for those who want the steps one by one.</summary>
    /// <returns>Completes when everything that was accepted has ended; the last item may be about to be told so. Never fails. The same at every call.</returns>
    public Task CloseAsync()
    {
        _shutdown.Close();
        return _core.Stop.Drained;
    }

    /// <summary>
    /// Closes, hands back everything that is queued as <see cref="WorkOutcome.NotStarted"/>, and cancels the token of
    /// everything that runs. Nothing happens if the pool has drained. A later <see cref="ShutdownAsync"/> joins the threads.
    /// </summary>
    public void CancelAll() => _shutdown.CancelAll();

    /// <summary>
    /// Stops the pool: closes, and finishes what was accepted until the deadline. Then it hands back what is queued and cancels what runs, as
    /// <see cref="CancelAll"/> does, and waits for the workers for the grace; what has not ended by then counts as
    /// <see cref="WorkOutcome.Abandoned"/>. Joins each thread that has ended, and leaves the others behind.
    /// </summary>
    /// <param name="deadline">How long what was accepted may take to end, or <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <param name="grace">
    /// How long the workers then have to end: to leave what was cancelled, and to dispose of their states. Zero or more, or
    /// <see cref="Timeout.InfiniteTimeSpan"/>. Default: <see langword="null"/>, 2 seconds.
    /// </param>
    /// <returns>What happened. The task never fails. The same at every call.</returns>
    /// <remarks>Only the times of the first call count, except that a later one with zero for both ends its waiting.</remarks>
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
    /// Finishes everything that was accepted, for at most 30 seconds, then stops as <see cref="ShutdownAsync"/> does after its deadline. For
    /// other times, call that before. Blocks the caller. If the pool is being stopped already, waits for that; if it has been, does nothing
    /// more.
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

    /// <summary>As <see cref="Dispose"/>, without blocking the caller.</summary>
    public async ValueTask DisposeAsync()
    {
        await ShutdownAsync(PoolShutdown.DrainOfDispose).ConfigureAwait(false);
        _core.Instruments.Remove(_core);
    }

    private static void ThrowIfNoTimeout(TimeSpan value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (value < TimeSpan.Zero && value != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(name, value, $"{name} may be zero or more, or infinite.");
    }

    private static void Check(in WorkOptions options)
    {
        if (options.Priority is < WorkPriority.Low or > WorkPriority.High)
            throw new ArgumentOutOfRangeException(nameof(options), options.Priority, "priority may be Low, Normal or High.");
        if (options.MaxQueueTime is { } limit && limit < TimeSpan.Zero && limit != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(options), limit, "maxQueueTime may be zero or more, or infinite.");
        if (options.MaxRunTime is { } run && run <= TimeSpan.Zero && run != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(options), run, "maxRunTime may be more than zero, or infinite.");
    }

    private static void CheckOfItem(in WorkOptions options)
    {
        Check(options);
        if (options.Kind is not null || options.Origin is not null)
            throw new ArgumentException("kind and origin may be set for a call; an item has properties of these names.", nameof(options));
        if (options.WaitForSpace)
            throw new ArgumentException("waitForSpace may be set where the caller waits, and not with TrySubmit.", nameof(options));
    }

    private void ThrowIfOnWorker()
    {
        if (Worker.Current?.Core == _core)
        {
            throw new InvalidOperationException(
                $"A worker of the pool '{Name}' cannot stop its own pool: it would wait for itself. Do it on another thread.");
        }
    }
}
