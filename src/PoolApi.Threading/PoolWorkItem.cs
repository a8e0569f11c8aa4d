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
/// An accepted item ends exactly once. The thread that ended the item calls <see cref="OnEnded"/> exactly once, not under the pool's gate. From
/// OnEnded on, the item may be submitted again, to any pool. An asynchronous item that has run may be submitted again to the same pool only. An
/// item that was abandoned or timed out may not, because its code may still run.
/// </remarks>
public abstract partial class PoolWorkItem
{
    internal Worker? LastWorker;
    internal long SubmittedAt;
    internal long StartedAt; // 0: it has not started
    internal string? Withdrawal; // the caller's reason for a withdrawal

    /// <summary>Creates the item.</summary>
    /// <param name="isTimed">
    /// Whether <see cref="QueueTime"/> and <see cref="RunTime"/> are precise, which costs two reads of the clock of about 30 ns
    /// each. Otherwise their error is up to 20 ms, unless the pool's metrics have a listener. Default: <see langword="true"/>.
    /// </param>
    protected PoolWorkItem(bool isTimed = true) => IsTimed = isTimed;

    /// <summary>
    /// The work's kind, a label of the pool's metrics: one of a small fixed set of words. It must not change during a submission. It is
    /// read from any thread when the item is shown or measured, and must be cheap. Default: <c>work</c>.
    /// </summary>
    public virtual string Kind => "work";

    /// <summary>For whom the work is done, as views of the workers show it. Read in the same way as <see cref="Kind"/>. Default:
    /// <see langword="null"/>.</summary>
    public virtual string? Origin => null;

    /// <summary>The trace id of the work, as views of the workers show it. Read in the same way as <see cref="Kind"/>. Default: none.</summary>
    public virtual ActivityTraceId TraceId => default;

    internal bool IsTimed { get; }

    internal bool CancelRequested => IsCancelRequested<ProcessorOps>();

    /// <summary>Whether it belongs to a call, a task or a callback of a pool, and so is submitted by that pool only.</summary>
    internal virtual bool IsOfPool => false;

    /// <summary>
    /// Cancelled when the item is cancelled (by <see cref="Cancel"/> or the submitter's token), when a stop of the pool cancels running work, or when
    /// the item runs too long. Created at the first read, with a new source for each submission. Thread-safe.
    /// </summary>
    public CancellationToken CancellationToken => SourceMade<ProcessorOps>().Token;

    /// <summary>The queue time. Valid when the item has started or ended. Zero after a later submission was refused.</summary>
    public TimeSpan QueueTime => Core?.Clock.Elapsed(SubmittedAt, StartedAt == 0 ? EndedAt : StartedAt) ?? TimeSpan.Zero;

    /// <summary>The run time from start to end, including awaits. Valid when the item has run and ended. Zero after a later submission was refused.</summary>
    public TimeSpan RunTime => StartedAt == 0 ? TimeSpan.Zero : Core?.Clock.Elapsed(StartedAt, EndedAt) ?? TimeSpan.Zero;

    /// <summary>The name of the worker that ran the item last; <see langword="null"/> if none has, or after a later submission was refused.</summary>
    public string? WorkerName => LastWorker?.Name;

    private PoolCore? Core => (PoolCore?)Volatile.Read(ref Owner);

    /// <summary>
    /// Cancels the item. A queued item is removed at once, frees its place, and ends as
    /// <see cref="WorkOutcome.Cancelled"/> or, with a reason, as <see cref="WorkOutcome.Withdrawn"/>. If the item runs, its
    /// <see cref="CancellationToken"/> is cancelled, and the work decides whether it ends. An item that no pool has accepted yet ends
    /// in the same way as soon as a pool accepts it. If the item has ended, the call does not affect its next submission. Thread-safe.
    /// </summary>
    /// <param name="reason">
    /// The reason for withdrawing an item that has not run: one of a small fixed set of words. The pool's metrics count it under this word in
    /// place of an outcome. Default: <see langword="null"/>, the item is cancelled.
    /// </param>
    /// <returns><see langword="true"/> if the item was queued and this call has removed it.</returns>
    /// <exception cref="ArgumentException">The reason is empty.</exception>
    public bool Cancel(string? reason = null)
    {
        if (reason is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(reason);
            Withdrawal = reason;
        }
        WorkOutcome outcome = reason is null ? WorkOutcome.Cancelled : WorkOutcome.Withdrawn;
        NoteAsked<ProcessorOps>(outcome);
        MarkCancelled<ProcessorOps>(outcome);
        if (Core is { } core && core.EndQueued(this, outcome)) return true;
        SignalRunning();
        return false;
    }

    /// <summary>The work. Called at most once for each submission, on a worker's thread.</summary>
    /// <exception cref="Exception">Any exception ends the item as <see cref="WorkOutcome.Failed"/>, but not the worker.</exception>
    protected abstract void Execute();

    /// <summary>
    /// Called exactly once for each accepted submission when it has ended, whether it ran or not, on a worker or on the thread
    /// that cancelled, expired, timed out, abandoned or handed back the item. Must return fast. Does nothing by default.
    /// </summary>
    /// <param name="outcome">How it ended.</param>
    /// <param name="exception">
    /// What it threw, if it failed or was cancelled while running; a <see cref="WorkTimedOutException"/> if it timed out.
    /// </param>
    protected virtual void OnEnded(WorkOutcome outcome, Exception? exception) { }

    /// <summary>Claims the item for a submission, and sets it up.</summary>
    /// <returns>The previous state, for <see cref="Unclaim"/>.</returns>
    /// <exception cref="InvalidOperationException">It is submitted and has not ended, or it may not run on this pool.</exception>
    internal WorkItemState Claim(PoolCore core, WorkPriority priority, long now, long expiresAt)
    {
        if (!TryClaim<ProcessorOps>(out WorkItemState was))
        {
            throw new InvalidOperationException(was switch
            {
                WorkItemState.Abandoned => "A pool that stopped has abandoned the work item. Its code may still be running.",
                WorkItemState.TimedOut => "The work item has exceeded its limit on run time. Its code may still be running.",
                _ => "The work item has been submitted already and has not ended yet.",
            });
        }
        if (was == WorkItemState.Ended)
        {
            if (!MayRunOn(core))
            {
                State = was;
                throw new InvalidOperationException(
                    "An asynchronous item that has run may be submitted again to the same pool only: code of an earlier submission may still return to that pool.");
            }
            if (Withdrawal is not null) Withdrawal = null;
            StartedAt = 0;
            if (Extras is not null) Extras.RunLimit = 0;
            LastWorker = null;
        }
        if (Depth != 0) Depth = 0;
        SubmittedAt = now;
        ExpiresAt = expiresAt;
        Priority = priority;
        SetOwner<ProcessorOps>(core);
        return was;
    }

    /// <summary>Whether the pool may run an item that has ended before.</summary>
    internal virtual bool MayRunOn(PoolCore core) => true;

    /// <summary>Records that another item of the same pool, which holds a worker, caused it. Called between the claim and the push.</summary>
    /// <param name="worker">The worker; null: the causing item is suspended, or unknown.</param>
    /// <param name="depth">The length of the chain of items that caused it.</param>
    internal void SetCause(Worker? worker, int depth)
    {
        Depth = (byte)Math.Min(depth, CausedItems.MaxDepth);
        if (depth == 0) return;
        Extras ??= new ItemExtras(this);
        Extras.SubmittingWorker = worker;
    }

    /// <summary>Sets the limit on run time, in ticks above 0. Called between the claim and the push.</summary>
    internal void LimitRun(long ticks)
    {
        Extras ??= new ItemExtras(this);
        Extras.RunLimit = Math.Max(ticks, 1);
    }

    /// <summary>Releases everything that it held for its last submission.</summary>
    private protected void Forget()
    {
        Owner = null;
        LastWorker = null;
        if (Extras is not null)
        {
            Extras.SubmittingWorker = null;
            Extras.RunLimit = 0;
        }
        Withdrawal = null;
        ResetCancellation<ProcessorOps>();
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
        // From here on the item may be submitted again. Before, the pool needed its links and times.
        if (outcome is not (WorkOutcome.Abandoned or WorkOutcome.TimedOut)) State = WorkItemState.Ended;
        OnEnded(outcome, error);
        // The item is not accessed from here on, because it may be submitted again.
    }

    /// <summary>Whether an exception counts as a cancellation: only if a cancellation was requested.</summary>
    private protected WorkOutcome OutcomeOf(Exception e) =>
        e is OperationCanceledException && IsCancellationAsked<ProcessorOps>() ? WorkOutcome.Cancelled : WorkOutcome.Failed;

    /// <summary>The pool to which the item is or was last submitted.</summary>
    internal PoolCore? CurrentCore => Core;

    /// <summary>Cancels the token of an item that runs. Callbacks registered on it run on this thread.</summary>
    internal void SignalRunning() => Signal(MarkRunning<ProcessorOps>(), Core);

    /// <param name="source">The source of the submission; null: its token was never read.</param>
    /// <param name="core">The pool of that submission.</param>
    internal void Signal(CancellationTokenSource? source, PoolCore? core)
    {
        try
        {
            source?.Cancel();
        }
        catch (AggregateException e)
        {
            core?.Observers.Unhandled(this, e);
        }
    }
}
