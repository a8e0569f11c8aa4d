using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>
/// A fixed number of dedicated threads that share one bounded queue.
/// </summary>
/// <remarks>
/// <para><b>Why.</b> Work that blocks or computes for long starves the .NET ThreadPool, and with it everything else in the
/// process. Here it has threads of its own, a bound on how much of it may wait, and an orderly end.</para>
/// <para><b>Regime.</b> Items of about ten microseconds and more, from any number of threads. Each item takes the pool's one
/// lock three times; a sleeping worker is woken by its own monitor, the one that fell asleep last first. An idle pool uses
/// no CPU.</para>
/// <para><b>Promise.</b> Whatever was accepted ends exactly once, with one <see cref="WorkOutcome"/>, also across a shutdown;
/// the counts add up at every moment (<see cref="PoolCounts"/>).</para>
/// <para>All members are safe to call from any thread.</para>
/// </remarks>
public sealed class FixedThreadPool : IDisposable, IAsyncDisposable
{
    /// <summary>The name of the meter under which every pool in the process reports: <c>PoolApi</c>.</summary>
    public const string MeterName = "PoolApi";

    /// <summary>
    /// How long <see cref="ShutdownAsync"/> waits, once it has missed its deadline, for cancelled work to end: 2 seconds.
    /// </summary>
    public static readonly TimeSpan CancelGrace = TimeSpan.FromSeconds(2);

    /// <summary>How long <see cref="ShutdownAsync"/> waits for the threads to end: 2 seconds.</summary>
    public static readonly TimeSpan JoinGrace = TimeSpan.FromSeconds(2);

    private readonly PoolCore _core;
    private readonly PoolShutdown _shutdown;

    /// <summary>Makes the pool and starts its threads.</summary>
    /// <param name="options">Its settings; <see langword="null"/> for the defaults. Read now, not later.</param>
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of its range; the message names it and the range.</exception>
    /// <exception cref="OutOfMemoryException">The system gave no thread; those already started have been ended.</exception>
    public FixedThreadPool(FixedThreadPoolOptions? options = null)
    {
        options ??= new FixedThreadPoolOptions();
        options.Validate();
        _core = new PoolCore(options, this);
        _shutdown = new PoolShutdown(_core);
        _core.StartWorkers();
        PoolInstruments.Add(_core);
    }

    /// <summary>The pool whose worker the calling thread is; <see langword="null"/> on any other thread.</summary>
    public static FixedThreadPool? Current => Worker.Current?.Core.Owner;

    /// <summary>The pool's name.</summary>
    public string Name => _core.Name;

    /// <summary>The number of workers.</summary>
    public int Workers => _core.Workers.Length;

    /// <summary>
    /// Whether the next submission would be refused as full. Out of date as soon as it is read: good for refusing early
    /// what is expensive to prepare, not for deciding whether to submit.
    /// </summary>
    public bool IsFullGuess => _core.IsFullGuess;

    /// <summary>Completes when the pool is closed and everything it accepted has ended. Never fails.</summary>
    public Task Drained => _core.Drained;

    /// <summary>
    /// Submits an item. Never blocks, and allocates nothing.
    /// </summary>
    /// <param name="item">The item; it may be submitted again once it has ended.</param>
    /// <returns>Whether it was accepted, and why not. What is accepted will end exactly once.</returns>
    /// <exception cref="InvalidOperationException">The item has been submitted and has not ended.</exception>
    public SubmitResult TrySubmit(PoolWorkItem item)
    {
        ArgumentNullException.ThrowIfNull(item);
        SubmitResult result = _core.Submit(item);
        if (result != SubmitResult.Accepted) CountRejected(result == SubmitResult.Closed ? "draining" : "queue_full");
        return result;
    }

    /// <summary>Runs a function on the pool.</summary>
    /// <param name="work">The function; its token is cancelled when the caller's is, or at a stop that missed its deadline.</param>
    /// <param name="options">What to say about it.</param>
    /// <returns>
    /// Its result, to be awaited once; or its exception; or <see cref="WorkRejectedException"/> if it was not accepted,
    /// <see cref="WorkNotRunException"/> if it was accepted and did not run, <see cref="OperationCanceledException"/> if it
    /// was cancelled, <see cref="WorkAbandonedException"/> if the pool stopped without it. The caller's continuation does
    /// not run on a worker of the pool, unless the caller does.
    /// </returns>
    public ValueTask<TResult> RunAsync<TResult>(Func<CancellationToken, TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Submit<TResult, DelegateWorkItem<TResult>>(new DelegateWorkItem<TResult>(_core, work, options), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    public ValueTask<TResult> RunAsync<TResult>(Func<TResult> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync(_ => work(), options);
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    public ValueTask RunAsync(Action<CancellationToken> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return WithoutResult(RunAsync(
            token =>
            {
                work(token);
                return default(Nothing);
            },
            options));
    }

    /// <summary>Runs an action on the pool.</summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    public ValueTask RunAsync(Action work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync(_ => work(), options);
    }

    /// <summary>
    /// Runs an asynchronous function on the pool. While it awaits it holds no worker; what follows an
    /// <see langword="await"/> that captures the context runs on a worker of this pool again (after
    /// <c>ConfigureAwait(false)</c> it does not, as with any context).
    /// </summary>
    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, TResult}, WorkOptions)"/>
    public ValueTask<TResult> RunAsync<TResult>(Func<CancellationToken, Task<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return Submit<TResult, AsyncDelegateWorkItem<TResult>>(new AsyncDelegateWorkItem<TResult>(_core, work, options), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    public ValueTask<TResult> RunAsync<TResult>(Func<Task<TResult>> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync(_ => work(), options);
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    public ValueTask RunAsync(Func<CancellationToken, Task> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return WithoutResult(RunAsync(
            async token =>
            {
                await work(token);
                return default(Nothing);
            },
            options));
    }

    /// <inheritdoc cref="RunAsync{TResult}(Func{CancellationToken, Task{TResult}}, WorkOptions)"/>
    public ValueTask RunAsync(Func<Task> work, WorkOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync(_ => work(), options);
    }

    /// <summary>
    /// How long an item that joins the queue now may have to wait: waiting items × mean run time of recent items ÷
    /// workers, at most a day. An estimate.
    /// </summary>
    public TimeSpan EstimateQueueTime() => _core.EstimateQueueTime();

    /// <summary>Counts a refusal by an admission control in front of the pool under <c>poolapi.work.rejected</c>.</summary>
    /// <param name="reason">Why, one of a small fixed set of words.</param>
    public void CountRejected(string reason) => PoolInstruments.Rejected(_core, reason);

    /// <summary>The pool and every worker at one moment. Takes the pool's lock for a time proportional to the workers.</summary>
    public PoolSnapshot GetSnapshot() => _core.GetSnapshot();

    /// <summary>Stops accepting; what was accepted goes on. The first step of a stop, for those who want the steps one by one.</summary>
    public void Close() => _shutdown.Close();

    /// <summary>
    /// Closes, hands back everything that waits as <see cref="WorkOutcome.NotStarted"/>, and cancels the token of
    /// everything that runs. Nothing happens if the pool has drained.
    /// </summary>
    public void CancelAll() => _shutdown.CancelAll();

    /// <summary>
    /// Closes, lets the workers end as soon as nothing is left for them, and joins their threads. What has not ended when
    /// the time is over is handed back, or counted as <see cref="WorkOutcome.Abandoned"/> if it was under way.
    /// </summary>
    /// <param name="timeout">How long to wait, or <see cref="Timeout.InfiniteTimeSpan"/>. Only the first call's counts.</param>
    /// <exception cref="InvalidOperationException">Called on a worker of this pool, which cannot join itself.</exception>
    public Task<ShutdownReport> JoinAsync(TimeSpan timeout)
    {
        ThrowIfOnWorker();
        return _shutdown.JoinAsync(timeout);
    }

    /// <summary>
    /// Stops the pool: closes; with <see cref="ShutdownMode.Drain"/> finishes what was accepted until the deadline, then
    /// hands back what waits and cancels what runs, which has <see cref="CancelGrace"/> to end; with
    /// <see cref="ShutdownMode.Cancel"/> does that at once, with the deadline for it to end; then joins the threads for at
    /// most <see cref="JoinGrace"/>. Only the first call counts; every call returns its report.
    /// </summary>
    /// <param name="mode">What to do with work that has not ended.</param>
    /// <param name="deadline">How long, or <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <returns>What happened. The task never fails.</returns>
    /// <exception cref="InvalidOperationException">Called on a worker of this pool, which cannot join itself.</exception>
    public Task<ShutdownReport> ShutdownAsync(ShutdownMode mode, TimeSpan deadline)
    {
        ThrowIfOnWorker();
        return _shutdown.ShutdownAsync(mode, deadline);
    }

    /// <summary>
    /// Finishes everything that was accepted, without a deadline, then joins every thread. Blocks the caller. Does
    /// nothing more if the pool has been stopped already.
    /// </summary>
    /// <exception cref="InvalidOperationException">Called on a worker of this pool, which cannot join itself.</exception>
    public void Dispose()
    {
        ThrowIfOnWorker();
        _shutdown.Close();
        _core.WaitUntilDrained();
        _shutdown.JoinDrained();
        PoolInstruments.Remove(_core);
    }

    /// <summary>As <see cref="Dispose"/>, without blocking the caller.</summary>
    public async ValueTask DisposeAsync()
    {
        await ShutdownAsync(ShutdownMode.Drain, Timeout.InfiniteTimeSpan).ConfigureAwait(false);
        PoolInstruments.Remove(_core);
    }

    private static async ValueTask WithoutResult(ValueTask<Nothing> task) => await task.ConfigureAwait(false);

    private ValueTask<TResult> Submit<TResult, TItem>(TItem item, in WorkOptions options)
        where TItem : PoolWorkItem, IResultSource<TResult>
    {
        if (options.CancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(options.CancellationToken);
        WorkCall<TResult> call = item.Call;
        // Before submitting, so that nothing can be cancelled unseen; Cancel on an item not yet submitted is remembered.
        call.Watch(item);
        SubmitResult result = TrySubmit(item);
        if (result == SubmitResult.Accepted) return new ValueTask<TResult>(call, call.Version);
        call.Unwatch();
        return ValueTask.FromException<TResult>(new WorkRejectedException(Name, result));
    }

    private void ThrowIfOnWorker()
    {
        if (Worker.Current?.Core == _core)
        {
            throw new InvalidOperationException(
                $"A worker of the pool '{Name}' cannot stop its own pool: it would wait for itself. Stop it from another thread.");
        }
    }

    private readonly struct Nothing;
}
