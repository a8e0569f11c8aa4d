using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace PoolApi.Threading.Core.Calls;

/// <summary>
/// The caller's side of a call: one result, which is awaited or waited for once. It is reused only after it was completed
/// <b>and</b> its result was taken, because until then the caller refers to it.
/// </summary>
/// <remarks>
/// <code>
///   Pending ──Complete──► Completed ──GetResult: next version, back to its owner──► Pending
///      └──OnCompleted: a continuation waits──┘
/// </code>
/// <para>The continuation never runs on the worker that completes it. It is queued to the awaiter's context or
/// scheduler, or to the .NET ThreadPool with this object itself as the queued item, so that nothing is allocated. That is
/// why it is not a <see cref="ManualResetValueTaskSourceCore{TResult}"/>, which allocates one for each hop.</para>
/// <para>Thread-safe as any ValueTask source: one completer and one consumer.</para>
/// </remarks>
internal sealed class ResultSource<TResult>(IConsumed owner) : IValueTaskSource<TResult>, IValueTaskSource, IThreadPoolWorkItem
{
    private static readonly Action<object?> CompletedMark = static _ => throw new InvalidOperationException();
    private static readonly Action<object?> Unblock = static waiter => ((ManualResetEventSlim)waiter!).Set();

    [ThreadStatic]
    private static ManualResetEventSlim? s_waiter;

    // null, the awaiter's continuation, or the mark "completed". Complete writes this word as its last access to the object. With a separate
    // flag, the caller could take the result and reuse the object in between.
    private Action<object?>? _continuation;
    private Action<object?>? _awaiter; // the continuation to resume
    private object? _state;
    private object? _scheduler; // the awaiter's SynchronizationContext or TaskScheduler
    private ExecutionContext? _flow;
    private TResult? _result;
    private ExceptionDispatchInfo? _error;
    private short _version;

    public short Version => _version;

    private bool IsCompleted => ReferenceEquals(Volatile.Read(ref _continuation), CompletedMark);

    public void SetResult(TResult result)
    {
        _result = result;
        Complete();
    }

    public void SetException(Exception error)
    {
        _error = ExceptionDispatchInfo.Capture(error);
        Complete();
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        Check(token);
        return !IsCompleted ? ValueTaskSourceStatus.Pending
            : _error is null ? ValueTaskSourceStatus.Succeeded
            : _error.SourceException is OperationCanceledException ? ValueTaskSourceStatus.Canceled
            : ValueTaskSourceStatus.Faulted;
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        Check(token);
        _state = state;
        if ((flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0) _flow = ExecutionContext.Capture();
        if ((flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) != 0) _scheduler = CurrentScheduler();
        Action<object?>? was = Interlocked.CompareExchange(ref _continuation, continuation, null);
        if (was is null) return; // Complete will see it
        if (!ReferenceEquals(was, CompletedMark)) throw new InvalidOperationException("A ValueTask may be awaited only once.");
        Resume(continuation);
    }

    public TResult GetResult(short token)
    {
        Check(token);
        if (!IsCompleted) Block(); // as with a Task, if the result is taken without an await
        TResult result = _result!;
        ExceptionDispatchInfo? error = _error;
        Reset();
        owner.Consumed(); // from here on the object may be reused
        error?.Throw();
        return result;
    }

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    /// <summary>Blocks until the call has ended and takes its result: spins for a few microseconds, then sleeps.</summary>
    public TResult Wait() => GetResult(_version);

    private void Block()
    {
        Atomics.SpinState spin = default;
        while (!IsCompleted)
        {
            if (Atomics.ProcessorOps.KeepSpinning(ref spin)) continue;
            if (Volatile.Read(ref _continuation) is { } other && !ReferenceEquals(other, CompletedMark)) throw new InvalidOperationException("The call is awaited already; its result can be taken only once.");
            ManualResetEventSlim waiter = s_waiter ??= new ManualResetEventSlim(false, spinCount: 0);
            waiter.Reset();
            _state = waiter;
            if (Interlocked.CompareExchange(ref _continuation, Unblock, null) is null) WaitFor(waiter);
            return;
        }
    }

    /// <summary>Runs the continuation, on a thread of the .NET ThreadPool.</summary>
    void IThreadPoolWorkItem.Execute() => Invoke();

    private static void WaitFor(ManualResetEventSlim waiter)
    {
        bool interrupted = false;
        while (true)
        {
            try
            {
                waiter.Wait();
                break;
            }
            catch (ThreadInterruptedException)
            {
                // The work continues and refers to this object, so this thread must not leave before the end.
                interrupted = true;
            }
        }
        if (interrupted) Thread.CurrentThread.Interrupt();
    }

    private void Complete()
    {
        Action<object?>? continuation = Interlocked.Exchange(ref _continuation, CompletedMark);
        // No awaiter yet. From here on the result may be taken, so this object is not accessed any more.
        if (continuation is null) return;
        // An awaiter is registered, and it takes the result only when it is resumed.
        if (ReferenceEquals(continuation, Unblock)) continuation(_state);
        else Resume(continuation);
    }

    private void Resume(Action<object?> awaiter)
    {
        short version = _version;
        _awaiter = awaiter;
        try
        {
            switch (_scheduler)
            {
                case SynchronizationContext context:
                    context.Post(static self => ((ResultSource<TResult>)self!).Invoke(), this);
                    return;
                case TaskScheduler scheduler:
                    // Not awaited: a continuation handles its own exceptions.
                    _ = Task.Factory.StartNew(
                        static self => ((ResultSource<TResult>)self!).Invoke(), this, CancellationToken.None,
                        TaskCreationOptions.DenyChildAttach, scheduler);
                    return;
                default:
                    break;
            }
        }
        catch (Exception) when (_version == version && Volatile.Read(ref _awaiter) is not null)
        {
            // The awaiter's context refuses the continuation (for example another pool that has closed). The awaiter must continue anyway. If Post has
            // already run it in place, the exception is the continuation's own.
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
    }

    private void Invoke()
    {
        if (Interlocked.Exchange(ref _awaiter, null) is not { } continuation) return; // once
        object? state = _state;
        ExecutionContext? flow = _flow;
        if (flow is null) continuation(state);
        else ExecutionContext.Run(flow, static call => { var (run, with) = ((Action<object?>, object?))call!; run(with); }, (continuation, state));
    }

    private static object? CurrentScheduler()
    {
        SynchronizationContext? context = SynchronizationContext.Current;
        if (context is not null && context.GetType() != typeof(SynchronizationContext)) return context;
        return TaskScheduler.Current == TaskScheduler.Default ? null : TaskScheduler.Current;
    }

    private void Check(short token)
    {
        if (token != _version) throw new InvalidOperationException("The ValueTask has been awaited already: it may be awaited only once.");
    }

    private void Reset()
    {
        _version++;
        _continuation = null;
        _awaiter = null;
        _state = _scheduler = null;
        _flow = null;
        _result = default;
        _error = null;
    }
}

/// <summary>Receives a call when the result has been taken.</summary>
internal interface IConsumed
{
    void Consumed();
}
