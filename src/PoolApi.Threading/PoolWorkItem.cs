using System.Diagnostics;
using PoolApi.Threading.Core;

namespace PoolApi.Threading;

/// <summary>
/// One piece of work for a <see cref="FixedThreadPool"/>. Derive from it to submit work without any allocation by the
/// pool: the item is its own queue entry. <c>RunAsync</c> is the convenient way; this is the cheap one.
/// </summary>
/// <remarks>
/// <code>
///             TrySubmit              a worker takes it             Execute returned or threw
///   Created ──────────────► Waiting ───────────────────► InFlight ───────────────────────────► Ended
///                              │                             │                                   ▲
///                              │ cancelled, expired,         │ the pool stopped without it       │
///                              │ handed back                 └───────────────────────────────────┤
///                              └─────────────────────────────────────────────────────────────────┘
/// </code>
/// Every transition is made under the pool's lock, so an accepted item reaches Ended exactly once, and
/// <see cref="OnEnded"/> is called exactly once, outside the lock, by whoever made that transition. An item that has
/// ended may be submitted again.
/// </remarks>
public abstract class PoolWorkItem
{
    // Guarded by the gate of the pool that accepted the item.
    internal PoolWorkItem? Previous;
    internal PoolWorkItem? Next;
    internal WorkItemState State;
    internal int ActiveRuns; // workers that run code of this item right now: its body or its resumptions
    internal Worker? LastWorker;
    internal bool StopSignalled; // the pool, stopping, asked it to stop
    internal long SubmittedAt;
    internal long StartedAt;
    internal long EndedAt;
    internal long BusyTicks; // time it held a worker; for asynchronous work less than EndedAt - StartedAt

    private PoolCore? _core;
    private CancellationTokenSource? _cancellation;
    private volatile bool _cancelRequested;
    private NotRunReason _cancelReason;

    /// <summary>The work's kind, a label of the pool's metrics: a small fixed set of words. Default: <c>work</c>.</summary>
    public virtual string Kind => "work";

    /// <summary>For whom it is done, as the view of the workers shows it. Default: <see langword="null"/>.</summary>
    public virtual string? Origin => null;

    /// <summary>The trace it belongs to, as the view of the workers shows it. Default: none.</summary>
    public virtual ActivityTraceId TraceId => default;

    /// <summary>
    /// Cancelled when <see cref="Cancel"/> is called or the pool, stopping, has missed its deadline. Made when first
    /// asked for; safe from any thread.
    /// </summary>
    public CancellationToken CancellationToken
    {
        get
        {
            CancellationTokenSource? cts = Volatile.Read(ref _cancellation);
            if (cts is null)
            {
                var made = new CancellationTokenSource();
                cts = Interlocked.CompareExchange(ref _cancellation, made, null) ?? made;
                // Pairs with SignalRunning: it sets the flag, then looks for a source; here the source is published
                // (a full fence), then the flag is read. One of the two sees the other.
                if (_cancelRequested) cts.Cancel();
            }
            return cts.Token;
        }
    }

    /// <summary>Whether the item has been asked to stop. Safe from any thread.</summary>
    public bool IsCancellationRequested => _cancelRequested;

    /// <summary>How long it waited for a worker. Valid once it has started.</summary>
    public TimeSpan QueueTime => _core?.Elapsed(SubmittedAt, StartedAt) ?? TimeSpan.Zero;

    /// <summary>How long it took from its start to its end, awaits included. Valid once it has ended after running.</summary>
    public TimeSpan RunTime => _core?.Elapsed(StartedAt, EndedAt) ?? TimeSpan.Zero;

    /// <summary>The name of the worker that ran it last; <see langword="null"/> if none has.</summary>
    public string? WorkerName => LastWorker?.Name;

    /// <summary>
    /// Asks the item to stop. While it waits, it is removed at once, its slot is free, and it ends with
    /// <paramref name="reason"/>; while it runs, <see cref="CancellationToken"/> is cancelled and the rest is up to the
    /// work; before it is submitted, it will end with the reason as soon as it is. Safe from any thread.
    /// </summary>
    /// <param name="reason">Why, should it not have run. Default: <see cref="NotRunReason.Cancelled"/>.</param>
    /// <returns><see langword="true"/> if the item was waiting and has been removed by this call.</returns>
    public bool Cancel(NotRunReason reason = NotRunReason.Cancelled)
    {
        _cancelReason = reason;
        _cancelRequested = true;
        // Pairs with the fence in Accept: either this sees the pool, or the pool, accepting, sees the request.
        Interlocked.MemoryBarrier();
        PoolCore? core = _core;
        if (core is not null && core.EndWaiting(this, reason)) return true;
        SignalRunning();
        return false;
    }

    /// <summary>The work. Called at most once for each submission, on a worker's thread.</summary>
    /// <exception cref="Exception">Whatever it throws ends the item as <see cref="WorkOutcome.Failed"/>, never the worker.</exception>
    protected abstract void Execute();

    /// <summary>
    /// Called exactly once for each accepted submission, when it has ended, run or not; on a worker, or on the thread
    /// that cancelled, expired or handed back the item. Must return fast. Does nothing by default.
    /// </summary>
    /// <param name="outcome">How it ended.</param>
    /// <param name="exception">What it threw, if it failed or was cancelled while running.</param>
    protected virtual void OnEnded(WorkOutcome outcome, Exception? exception) { }

    internal NotRunReason CancelReason => _cancelReason;

    /// <summary>Called under the gate: the pool takes the item in.</summary>
    /// <exception cref="InvalidOperationException">It has been submitted already and has not ended.</exception>
    internal void Accept(PoolCore core, long now)
    {
        if (State is WorkItemState.Waiting or WorkItemState.InFlight)
            throw new InvalidOperationException("The work item has been submitted already and has not ended yet.");
        if (State == WorkItemState.Ended)
        {
            _cancelRequested = false;
            _cancellation = null;
        }
        State = WorkItemState.Waiting;
        SubmittedAt = now;
        StopSignalled = false;
        StartedAt = EndedAt = BusyTicks = 0;
        LastWorker = null;
        _core = core;
        Interlocked.MemoryBarrier(); // pairs with the fence in Cancel
    }

    /// <summary>Runs the item on a worker, from its start to its end or, for asynchronous work, to its first await.</summary>
    internal virtual void Start(PoolCore core, Worker worker)
    {
        WorkOutcome outcome = WorkOutcome.Completed;
        Exception? error = null;
        try
        {
            Execute();
        }
        catch (Exception e)
        {
            (outcome, error) = (OutcomeOf(e), e);
        }
        core.End(this, outcome, error, worker);
    }

    /// <summary>Runs a continuation of the item on a worker.</summary>
    internal virtual void Resume(SendOrPostCallback callback, object? state) => callback(state);

    internal void NotifyEnded(WorkOutcome outcome, Exception? error) => OnEnded(outcome, error);

    /// <summary>An exception is a cancellation only if somebody had asked for one.</summary>
    private protected WorkOutcome OutcomeOf(Exception e) =>
        e is OperationCanceledException && _cancelRequested ? WorkOutcome.Cancelled : WorkOutcome.Failed;

    /// <summary>Cancels the token of an item that runs. Callbacks registered on it run on this thread.</summary>
    internal void SignalRunning()
    {
        _cancelRequested = true;
        Interlocked.MemoryBarrier(); // pairs with the publication in CancellationToken
        try
        {
            Volatile.Read(ref _cancellation)?.Cancel();
        }
        catch (AggregateException e)
        {
            _core?.Unhandled(this, e);
        }
    }
}

internal enum WorkItemState
{
    Created,
    Waiting,
    InFlight,
    Ended,
}
