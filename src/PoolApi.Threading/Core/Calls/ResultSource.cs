using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace PoolApi.Threading.Core.Calls;

/// <summary>
/// The caller's side of a call: one result, awaited or waited for once. It can be used again, but only after it was completed
/// <b>and</b> its result was taken: until then somebody still holds it.
/// </summary>
/// <remarks>
/// <code>
///   Pending ──Complete──► Completed ──GetResult: next version, back to its owner──► Pending
///      └──OnCompleted: a continuation waits──┘
/// </code>
/// <para>The continuation never runs on the worker that completes: it goes to where the awaiter was (its context or
/// scheduler), or to the .NET ThreadPool, with this object itself as the queued item, so that nothing is allocated. That is
/// why it is not a <see cref="ManualResetValueTaskSourceCore{TResult}"/>, which allocates one for each hop.</para>
/// <para>Thread-safe as any ValueTask source: one completer and one consumer.</para>
/// </remarks>
internal sealed class ResultSource<TResult>(IConsumed owner) : IValueTaskSource<TResult>, IValueTaskSource, IThreadPoolWorkItem
{
    private static readonly Action<object?> CompletedMark = static _ => throw new InvalidOperationException();
    private static readonly Action<object?> Unblock = static waiter => ((ManualResetEventSlim)waiter!).Set();

    [ThreadStatic]
    private static ManualResetEventSlim? s_waiter;

    // null; the awaiter's; or the mark: completed. The one word that says so, written in one step that is also the last
    // thing the completer does to it: a flag beside it would let the result be taken, and this object be used again, in between.
    private Action<object?>? _continuation;
    private Action<object?>? _awaiter; // what is to be resumed
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
        if (!IsCompleted) Block(); // as with a Task: somebody took the result without having awaited it
        TResult result = _result!;
        ExceptionDispatchInfo? error = _error;
        Reset();
        owner.Consumed(); // from here on it may be somebody else's
        error?.Throw();
        return result;
    }

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    /// <summary>Blocks until the call has ended, and takes its result: looks for a few microseconds, then sleeps.</summary>
    public TResult Wait() => GetResult(_version);

    private void Block()
    {
        Atomics.SpinState spin = default;
        while (!IsCompleted)
        {
            if (Atomics.ProcessorOps.KeepSpinning(ref spin)) continue;
            if (Volatile.Read(ref _continuation) is { } other && !ReferenceEquals(other, CompletedMark)) throw new InvalidOperationException("Somebody awaits the call already.");
            ManualResetEventSlim waiter = s_waiter ??= new ManualResetEventSlim(false, spinCount: 0);
            waiter.Reset();
            _state = waiter;
            if (Interlocked.CompareExchange(ref _continuation, Unblock, null) is null) WaitFor(waiter);
            return;
        }
    }

    /// <summary>The hop: on a ThreadPool thread.</summary>
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
                // The work goes on and holds this object; leaving it now would tear it out of the worker's hands.
                interrupted = true;
            }
        }
        if (interrupted) Thread.CurrentThread.Interrupt();
    }

    private void Complete()
    {
        Action<object?>? continuation = Interlocked.Exchange(ref _continuation, CompletedMark);
        // Nobody has come yet: from here on the result may be taken, and nothing of this object is touched.
        if (continuation is null) return;
        // Somebody waits, and takes nothing before it is resumed.
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
                    // Not forgotten: what fails in a continuation is its own affair.
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
            // Where the awaiter was takes nothing any more (another pool that has closed, say). It must go on all the same. Where it has
            // gone on already, inside of Post, the exception is its own.
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

/// <summary>Told when the result has been taken.</summary>
internal interface IConsumed
{
    void Consumed();
}
