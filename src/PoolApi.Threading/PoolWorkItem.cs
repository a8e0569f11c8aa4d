using System.Diagnostics;
using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading;

/// <summary>
/// One piece of work for a <see cref="FixedThreadPool"/>. Derive from it to submit work without any allocation by the
/// pool: the item is its own queue entry. <c>RunAsync</c> is the convenient way; this is the cheap one.
/// </summary>
/// <remarks>
/// <code>
///            Claim               sorted into its lane           a worker takes it          Execute returned or threw
///   Created ───────► Claimed ───────────────────────► Waiting ───────────────────► InFlight ──────────────► Ending ──► Ended
///      ▲                │ refused: full or closed         │                            │                      ▲
///      └────────────────┘                                 │ cancelled, expired,        │ the pool stopped     │
///                                                         │ handed back                ▼ without it, or it ran too long
///                                                         │                   Abandoned, TimedOut             │
///                                                         └───────────────────────────────────────────────────┘
/// </code>
/// Each arrow is one atomic step, under the pool's gate or by one compare-and-swap, so an accepted item ends exactly once;
/// and <see cref="OnEnded"/> is called exactly once, outside the gate, by whoever ended it. From then on (in OnEnded
/// already) it may be submitted again, to any pool, unless it was abandoned or timed out: its code may still be running.
/// </remarks>
public abstract partial class PoolWorkItem
{
    internal Worker? LastWorker;
    internal long SubmittedAt;
    internal long StartedAt;
    internal string? Withdrawal; // the reason of the caller that withdrew it
    internal volatile bool StopSignalled; // the pool, stopping, asked it to stop

    /// <summary>When it ended; 0 before. In the place of the limit on waiting, which is over by then.</summary>
    internal long EndedAt
    {
        get => State >= WorkItemState.Ending ? ExpiresAt : 0;
        set => ExpiresAt = value;
    }

    /// <summary>Creates the item.</summary>
    /// <param name="isTimed">
    /// Whether <see cref="QueueTime"/> and <see cref="RunTime"/> are measured, which takes two readings of the clock, about 30 ns
    /// each. Otherwise they are good to some 20 ms, unless somebody listens to the pool's metrics. Default: <see langword="true"/>.
    /// </param>
    protected PoolWorkItem(bool isTimed = true) => IsTimed = isTimed;

    /// <summary>
    /// The work's kind, a label of the pool's metrics: a small fixed set of words. The same for the whole of a submission;
    /// read when somebody looks or measures, from any thread, and must be cheap. Default: <c>work</c>.
    /// </summary>
    public virtual string Kind => "work";

    /// <summary>For whom it is done, as the view of the workers shows it. Read as <see cref="Kind"/> is. Default:
    /// <see langword="null"/>.</summary>
    public virtual string? Origin => null;

    /// <summary>The trace it belongs to, as the view of the workers shows it. Read as <see cref="Kind"/> is. Default: none.</summary>
    public virtual ActivityTraceId TraceId => default;

    internal bool IsTimed { get; }

    /// <summary>
    /// Cancelled when <see cref="Cancel"/> is called, the pool, stopping, has missed its deadline, or the item has run too long. Made when first
    /// asked for, a source of its own for each submission; safe from any thread.
    /// </summary>
    public CancellationToken CancellationToken => SourceMade<ProcessorOps>().Token;

    /// <summary>How long it waited for a worker, or in vain. Valid once it has started or ended.</summary>
    public TimeSpan QueueTime => Core?.Clock.Elapsed(SubmittedAt, StartedAt == 0 ? EndedAt : StartedAt) ?? TimeSpan.Zero;

    /// <summary>How long it took from its start to its end, awaits included. Valid once it has ended after running.</summary>
    public TimeSpan RunTime => Core?.Clock.Elapsed(StartedAt, EndedAt) ?? TimeSpan.Zero;

    /// <summary>The name of the worker that ran it last; <see langword="null"/> if none has.</summary>
    public string? WorkerName => LastWorker?.Name;

    private PoolCore? Core => (PoolCore?)Volatile.Read(ref Holder);

    /// <summary>
    /// Asks the item to stop. While it waits, it is removed at once, its slot is free, and it ends as
    /// <see cref="WorkOutcome.Cancelled"/> or, with a reason, as <see cref="WorkOutcome.Withdrawn"/>; while it runs,
    /// <see cref="CancellationToken"/> is cancelled and the rest is up to the work; before it is submitted for the first time, it will
    /// end so as soon as it is. Safe from any thread.
    /// </summary>
    /// <param name="reason">
    /// Why the caller withdraws it, should it not have run: one of a small fixed set of words, by which the pool's metrics count it in the
    /// place of an outcome. Default: <see langword="null"/>, it is cancelled.
    /// </param>
    /// <returns><see langword="true"/> if the item was waiting and has been removed by this call.</returns>
    /// <exception cref="ArgumentException">The reason is empty.</exception>
    public bool Cancel(string? reason = null)
    {
        if (reason is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(reason);
            Withdrawal = reason;
        }
        WorkOutcome outcome = reason is null ? WorkOutcome.Cancelled : WorkOutcome.Withdrawn;
        NoteAsked(outcome);
        MarkCancelled<ProcessorOps>(outcome);
        if (Core is { } core && core.EndWaiting(this, outcome)) return true;
        SignalRunning();
        return false;
    }

    /// <summary>The work. Called at most once for each submission, on a worker's thread.</summary>
    /// <exception cref="Exception">Whatever it throws ends the item as <see cref="WorkOutcome.Failed"/>, never the worker.</exception>
    protected abstract void Execute();

    /// <summary>
    /// Called exactly once for each accepted submission, when it has ended, run or not; on a worker, or on the thread
    /// that cancelled, expired, timed out or handed back the item. Must return fast. Does nothing by default.
    /// </summary>
    /// <param name="outcome">How it ended.</param>
    /// <param name="exception">
    /// What it threw, if it failed or was cancelled while running; a <see cref="WorkTimedOutException"/> if it timed out.
    /// </param>
    protected virtual void OnEnded(WorkOutcome outcome, Exception? exception) { }

    /// <summary>Takes the item for a submission, in one step: two threads, or two pools, may be offered it at once.</summary>
    /// <returns>What it was, for <see cref="Unclaim"/>.</returns>
    /// <exception cref="InvalidOperationException">It has been submitted already and has not ended.</exception>
    internal WorkItemState Claim(PoolCore core, WorkPriority priority, long now, long expiresAt)
    {
        var was = (WorkItemState)StateWord;
        if (was is not (WorkItemState.Created or WorkItemState.Ended)
            || Interlocked.CompareExchange(ref StateWord, (int)WorkItemState.Claimed, (int)was) != (int)was)
        {
            throw new InvalidOperationException(was switch
            {
                WorkItemState.Abandoned => "The work item was left behind by a pool that stopped; its code may still be running.",
                WorkItemState.TimedOut => "The work item has run for longer than it may; its code may still be running.",
                _ => "The work item has been submitted already and has not ended yet.",
            });
        }
        if (was == WorkItemState.Ended)
        {
            ResetCancellation();
            if (Withdrawal is not null) Withdrawal = null;
            if (StopSignalled) StopSignalled = false;
            StartedAt = 0;
            if (Cause is not null) Cause.RunLimit = 0;
            LastWorker = null;
        }
        if (Depth != 0) Depth = 0;
        SubmittedAt = now;
        ExpiresAt = expiresAt;
        Priority = priority;
        if (!ReferenceEquals(Holder, core)) Volatile.Write(ref Holder, core);
        return was;
    }

    /// <summary>Between the claim and the push: another item of the same pool, which holds a worker, caused it.</summary>
    /// <param name="worker">The worker; null: the item is suspended, or nobody knows.</param>
    /// <param name="depth">How many items, each caused by the one before, led to it.</param>
    internal void SetCause(Worker? worker, int depth)
    {
        Depth = (byte)Math.Min(depth, CausedItems.MaxDepth);
        if (depth == 0) return;
        Cause ??= new Cause(this);
        Cause.By = worker;
    }

    /// <summary>Between the claim and the push: it may run for so many ticks, more than none.</summary>
    internal void LimitRun(long ticks)
    {
        Cause ??= new Cause(this);
        Cause.RunLimit = Math.Max(ticks, 1);
    }

    /// <summary>It is nobody's: lets go of everything that it held for its last submission.</summary>
    private protected void Forget()
    {
        Holder = null;
        LastWorker = null;
        if (Cause is not null)
        {
            Cause.By = null;
            Cause.RunLimit = 0;
        }
        Withdrawal = null;
        ResetCancellation();
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

    internal void NotifyEnded(WorkOutcome outcome, Exception? error)
    {
        EndWatch<ProcessorOps>();
        // Only now may it be submitted again; until here the pool still needed its links and its times.
        if (outcome is not (WorkOutcome.Abandoned or WorkOutcome.TimedOut)) State = WorkItemState.Ended;
        OnEnded(outcome, error);
        // Nothing of the item is touched from here on: it may be somebody else's.
    }

    /// <summary>An exception is a cancellation only if somebody had asked for one.</summary>
    private protected WorkOutcome OutcomeOf(Exception e) =>
        e is OperationCanceledException && CancelRequested ? WorkOutcome.Cancelled : WorkOutcome.Failed;

    /// <summary>The pool that has the item, or had it last.</summary>
    internal PoolCore? CurrentCore => Core;

    /// <summary>Cancels the token of an item that runs. Callbacks registered on it run on this thread.</summary>
    internal void SignalRunning()
    {
        CancelRequested = true;
        Interlocked.MemoryBarrier(); // pairs with the publication in CancellationToken
        Signal(CurrentSource<ProcessorOps>(), Core);
    }

    /// <param name="source">The source of the submission that is meant; null: nobody asked for its token.</param>
    /// <param name="core">The pool that has that submission.</param>
    internal void Signal(CancellationTokenSource? source, PoolCore? core)
    {
        try
        {
            source?.Cancel();
        }
        catch (AggregateException e)
        {
            core?.Listeners.Unhandled(this, e);
        }
    }

    /// <summary>
    /// As <see cref="SignalRunning"/>, for a pool that stops, which holds its gate: code of a caller is left to it.
    /// </summary>
    /// <returns>What is to be cancelled after the gate. A source made later cancels itself.</returns>
    internal CancellationTokenSource? AskToStop()
    {
        StopSignalled = true;
        return AskToEnd();
    }

    /// <summary>The same for an item that has run too long.</summary>
    internal CancellationTokenSource? AskToEnd()
    {
        CancelRequested = true;
        Interlocked.MemoryBarrier(); // as in SignalRunning
        return CurrentSource<ProcessorOps>();
    }
}
