using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <content>Stage 4: runs the handler on the pool or stores the request as a job, and handles the outcome.</content>
internal sealed partial class PoolRequest
{
    /// <summary>The request has become a job: releases the body's bytes and the quota, since its client may wait long for the result.</summary>
    public void Committed()
    {
        Volatile.Write(ref _hasStarted, true); // from here on the request has an effect
        ReleaseBodyAndQuota();
    }

    private void ReleaseBodyAndQuota()
    {
        Context.Features.Get<IBufferedBodyFeature>()?.Release();
        _body?.Release();
        ReleaseQuota();
    }

    private const string CalledTooEarly = "An endpoint filter called the handler again before the first call had ended.";

    /// <summary>Stores the request as a job, in place of <see cref="RunAsync"/>.</summary>
    /// <returns>The result to write.</returns>
    /// <exception cref="InvalidOperationException">An endpoint filter called again before the first call had ended, or after the request had.</exception>
    public ValueTask<object?> StoreAsync(IRequestStoreFeature store)
    {
        if (_endpoint.FinishesWithWork) return store.StoreAsync(); // no filter can drop it
        if (IsPending) return ValueTask.FromException<object?>(new InvalidOperationException(CalledTooEarly));
        var stored = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // Before the store reads anything of the request. A full fence; pairs with that in OutlastWorkAsync.
        _ = Interlocked.Exchange(ref _pending, stored.Task);
        return StorePendingAsync(store, stored);
    }

    private async ValueTask<object?> StorePendingAsync(IRequestStoreFeature store, TaskCompletionSource stored)
    {
        try
        {
            return Volatile.Read(ref _isOver) ? await TooLate() : await store.StoreAsync();
        }
        finally
        {
            stored.SetResult();
        }
    }

    /// <summary>Runs the handler on the pool, or returns a problem if it does not run. Stage 3 ends by calling it.</summary>
    /// <returns>The handler's result, or the problem.</returns>
    /// <exception cref="OperationCanceledException">Middleware of the app has cancelled the request and writes the response.</exception>
    /// <exception cref="InvalidOperationException">An endpoint filter called again before the first call had ended, or after the request had.</exception>
    public ValueTask<object?> RunAsync(EndpointFilterDelegate? next, EndpointFilterInvocationContext? invocation)
    {
        if (Interlocked.CompareExchange(ref _poolState, InPool, null) is not null) // a full fence; pairs with that in OutlastWorkAsync
            return ValueTask.FromException<object?>(new InvalidOperationException(CalledTooEarly));
        if (Volatile.Read(ref _isOver))
        {
            SignalLeft();
            return TooLate();
        }
        bool ends = _endpoint.FinishesWithWork && _lifetime.TryTakeFinish();
        // The framework awaits it once, and no endpoint filter can drop it.
        _isDirect = ends && _accepted is null && _endpoint.RequestCache is not null;
        return _isDirect ? RunDirectly(next, invocation) : RunInFrameAsync(next, invocation, ends);
    }

    /// <summary>
    /// The fast path, for a request without a body to a synchronous handler without a limit on run time: no async frame of this library awaits
    /// the work. This object is the result's source, and <see cref="TakeResult"/> is the other half of this method.
    /// </summary>
    private ValueTask<object?> RunDirectly(EndpointFilterDelegate? next, EndpointFilterInvocationContext? invocation)
    {
        object? refused;
        try
        {
            Prepare(next, invocation);
            refused = Submit();
            if (refused is null)
            {
                if (_lifetime.Outer.IsCancellationRequested) Cancel(); // as in RunInFrameAsync
                return new ValueTask<object?>(this, _ended.Version);
            }
        }
        catch (OutOfMemoryException) when (IsOutOfMemory)
        {
            refused = OutOfMemory();
        }
        catch (Exception e)
        {
            LeavePool(ends: true);
            return ValueTask.FromException<object?>(e);
        }
        LeavePool(ends: true);
        return ValueTask.FromResult<object?>(refused);
    }

    /// <summary>The second half of <see cref="RunDirectly"/>. Called in the request's own flow when the framework takes the result.</summary>
    private object? TakeResult(short token)
    {
        bool ends = true;
        try
        {
            WorkOutcome outcome = _ended.GetResult(token);
            if (outcome == WorkOutcome.Abandoned) return Results.Empty; // already answered, see ResumeAbandonedAsync
            object? result = Conclude(outcome, _lifetime.Outer);
            if (_longResponse is null) return result;
            ends = false;
            return new FinishingResult(this, result);
        }
        catch (OutOfMemoryException) when (IsOutOfMemory)
        {
            return OutOfMemory();
        }
        finally
        {
            LeavePool(ends);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<object?> RunInFrameAsync(EndpointFilterDelegate? next, EndpointFilterInvocationContext? invocation, bool ends)
    {
        try
        {
            Prepare(next, invocation);
            if (_endpoint.LimitsRunTime) _response = HandlerResponse.Attach(Context);
            if (Submit() is { } refused)
            {
                _accepted?.Refused();
                if (_response is not null) await _response.RestoreAsync(Context, isWhole: false);
                return refused;
            }
            CancellationToken outer = _lifetime.Outer;
            // The pool discards a cancellation from before a new submission.
            if (outer.IsCancellationRequested) Cancel();
            WorkOutcome outcome = await new ValueTask<WorkOutcome>(this, _ended.Version);
            if (outcome is WorkOutcome.TimedOut or WorkOutcome.Abandoned) return await AnswerWithoutHandlerAsync(outcome);
            ReleaseQuota(); // no worker is held, and the next line may wait for a slow client
            if (_response is not null) await _response.RestoreAsync(Context, isWhole: outcome == WorkOutcome.Completed);
            object? result = Conclude(outcome, outer);
            if (!ends || _longResponse is null) return result;
            ends = false;
            return new FinishingResult(this, result);
        }
        catch (OutOfMemoryException) when (ends && IsOutOfMemory)
        {
            return OutOfMemory();
        }
        finally
        {
            LeavePool(ends);
        }
    }

    private void Prepare(EndpointFilterDelegate? next, EndpointFilterInvocationContext? invocation)
    {
        _ended.Reset();
        _isReused = false; // the submission resets the item
        if (_accepted is not null) _lifetime.IsResultWhole = false; // of an earlier run
        // The framework binds once, before the filters, and a second run of the item has another token.
        if (_boundToken == default && _isReferenced) _boundToken = _item.CancellationToken;
        _longResponse?.End(); // of an earlier run, whose result an endpoint filter has dropped
        (_longResponse, _isAnswering) = (null, false);
        (_next, _invocation, _result, _error, _outcome) = (next, invocation, null, null, null);
        (_hasReturned, _returned, _pending) = (false, null, null);
    }

    /// <summary>The work has its outcome or was refused: marks the request as out of the pool and releases its quota.</summary>
    /// <param name="ends">Whether it also ends the request. Then this object is not used afterwards.</param>
    private void LeavePool(bool ends)
    {
        _isAnswering = true; // also if the work was refused or cancelled, since the problem is written
        ReleaseQuota();
        if (ends)
        {
            Volatile.Write(ref _poolState, null); // no filter can have given up the work, so no code waits until it has left the pool
            Finish();
        }
        else
        {
            SignalLeft();
        }
    }

    /// <summary>The last access to this object by the flow that runs the work: another flow may end the request, and the object may be reused.</summary>
    private void SignalLeft() => (Interlocked.Exchange(ref _poolState, null) as TaskCompletionSource)?.TrySetResult();

    /// <summary>Completes when the work has left the pool. Called once, when the request ends.</summary>
    private Task LeftAsync()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return ReferenceEquals(Interlocked.CompareExchange(ref _poolState, left, InPool), InPool) ? left.Task : Task.CompletedTask;
    }

    /// <summary>The exception for a filter that calls the handler after the request has ended.</summary>
    public static ValueTask<object?> TooLate() =>
        ValueTask.FromException<object?>(new InvalidOperationException("An endpoint filter called the handler after the request had ended."));

    /// <returns>The problem, if the pool refuses the request.</returns>
    private Rejection? Submit()
    {
        RequestGate gate = _endpoint.Gate;
        bool isCounted = _accepted is null; // work that was accepted before does not count for MaxRequests
        // During a stop the pool still accepts work of the app's services. The stop waits for a request that sees the app open.
        if (_endpoint.Shutdown.IsClosed) return Counted(Pool, Rejection.Draining(Pool));
        if (isCounted && !gate.TryReserve()) return Counted(Pool, Rejection.Draining(Pool));

        bool isSubmitted = false;
        try
        {
            _flow = ExecutionContext.Capture();
            isSubmitted = Pool.Threads.TrySubmit(_item, options: _accepted is null
                ? _endpoint.Submission
                : new WorkOptions(priority: _accepted.Priority, maxRunTime: _endpoint.Options.MaxRunTime));
        }
        finally
        {
            if (isCounted && !isSubmitted) gate.GiveBack();
        }
        if (!isSubmitted)
        {
            // A stop closes the app before it closes the pools.
            return !Pool.Threads.IsClosed ? Rejection.QueueFull(Pool)
                : _endpoint.Shutdown.IsClosed ? Rejection.Draining(Pool)
                : Rejection.PoolClosed(Pool);
        }
        if (isCounted) gate.Admitted();
        return null;
    }

    /// <summary>Cancels the work, since no client waits for it: a queued item is removed, a running item's token is cancelled.</summary>
    /// <returns>Whether it was queued and will not run.</returns>
    private bool Cancel() => _item.Cancel(_accepted is null && IsClientGone ? PoolContext.ClientGone : null);

    /// <summary>Starts the work on the worker: gives the body's bytes back and enters the request's execution context.</summary>
    private void StartWork()
    {
        Volatile.Write(ref _hasStarted, true);
        _body?.Release();
        if (_accepted is null) _endpoint.Overload?.OnTaken(QueueTime);
        else _accepted.Started();
        if (_flow is not null) ExecutionContext.Restore(_flow);
        if (PoolSpans.AreWanted) _run = PoolSpans.Start(this, Pool.Threads.Name);
    }

    /// <summary>Runs a synchronous handler. Called on the worker.</summary>
    /// <remarks>
    /// A lazy result may await while it is read into memory, as a query of an asynchronous provider does. The worker waits, because what the handler
    /// returned is its work: it counts as running until its end, so that the number of workers bounds it and its limit on run time applies.
    /// The item has no synchronization context, so its continuations need no worker. A stand-in runs work of its own pool that it submits on the
    /// worker. Work that it submits after its first await comes from another thread and needs a free worker.
    /// </remarks>
    public void Execute()
    {
        try
        {
            StartWork();
            ValueTask<object?> work = CallAsync();
            _result = work.IsCompleted ? work.Result : work.AsTask().GetAwaiter().GetResult();
        }
        finally
        {
            OnHandlerReturned();
        }
    }

    private void OnHandlerReturned()
    {
        Interlocked.Exchange(ref _hasReturned, true); // a full fence; pairs with that in ReturnedAsync
        Volatile.Read(ref _returned)?.TrySetResult();
    }

    /// <summary>Completes when the handler has returned, if its request was answered without it.</summary>
    private Task ReturnedAsync()
    {
        var returned = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _returned, returned);
        if (Volatile.Read(ref _hasReturned)) returned.TrySetResult();
        return returned.Task;
    }

    /// <summary>Runs an asynchronous handler. It begins on the worker and returns to the pool after each await.</summary>
    public async ValueTask ExecuteAsync()
    {
        try
        {
            StartWork(); // inside this method's own flow, so that every continuation captures it
            _result = await CallAsync();
        }
        finally
        {
            OnHandlerReturned();
        }
    }

    private ValueTask<object?> CallAsync()
    {
        if (_next is null) return CallDelegateAsync();
        RenewToken();
        ValueTask<object?> handler = _next(_invocation!);
        return handler.IsCompletedSuccessfully ? ExecuteLazyAsync(handler.Result) : AwaitAsync(handler);
    }

    /// <summary>
    /// Replaces the bound token among the handler's arguments by that of this run: an endpoint filter may run the handler again, each submission has a
    /// token of its own, and the framework binds once. A token that a filter has put in its place stays, and so does one inside an argument, such as a
    /// member of an [AsParameters] type.
    /// </summary>
    private void RenewToken()
    {
        if (_boundToken == default || _invocation is null) return; // MVC passes no arguments
        CancellationToken now = _item.CancellationToken;
        if (now == _boundToken) return;
        IList<object?> arguments = _invocation.Arguments;
        for (int i = 0; i < arguments.Count; i++)
        {
            if (arguments[i] is CancellationToken token && token == _boundToken) arguments[i] = now;
        }
        _boundToken = now;
    }

    private async ValueTask<object?> AwaitAsync(ValueTask<object?> handler) => await ExecuteLazyAsync(await handler);

    /// <summary>Does the work of a lazy result on the pool too.</summary>
    private ValueTask<object?> ExecuteLazyAsync(object? result)
    {
        if (LazyResult.IsLazy(result)) return LazyResult.ExecuteAsync(Context, result, _endpoint.IsAction, Refusing);
        return _endpoint.Options.ExecuteResult && !_endpoint.IsAction
            ? BufferedResult.ExecuteAsync(Context, LazyResult.OnPool(Context, result), Refusing)
            : ValueTask.FromResult(result);
    }

    /// <summary>The pool that refuses a response without room. The result of work that was accepted before has no client yet.</summary>
    private PoolContext? Refusing => _accepted is null ? Pool : null;

    private async ValueTask<object?> CallDelegateAsync()
    {
        if (_endpoint.Options.ExecuteResult) return await BufferedResult.ExecuteAsync(Context, _endpoint.Handler, Refusing);
        await _endpoint.Handler(Context);
        return null;
    }

    /// <summary>The work has ended, whether it ran or not. Called on a worker, or on the thread that removed it from the queue.</summary>
    public void OnWorkEnded(WorkOutcome outcome, Exception? error)
    {
        (_outcome, _error) = (outcome, error);
        try
        {
            if (_run is not null || PoolSpans.AreWanted) EndSpan(outcome, error);
        }
        finally
        {
            Pool.Continuations.Add(this); // a listener of the traces may throw, and the client gets its response anyway
        }
    }

    private void EndSpan(WorkOutcome outcome, Exception? error)
    {
        if (_run is { } run)
        {
            _run = null;
            PoolSpans.End(run, outcome, error);
        }
        else if (!HasStarted && _flow is not null)
        {
            ExecutionContext.Run(_flow, _ => PoolSpans.NeverRan(this, Pool.Threads.Name, outcome), null);
        }
    }

    /// <summary>Continues the request's own flow, on the .NET ThreadPool.</summary>
    public void Resume()
    {
        WorkOutcome outcome = _outcome!.Value;
        if (_isDirect && outcome == WorkOutcome.Abandoned) _ = ResumeAbandonedAsync(outcome);
        else _ended.SetResult(outcome);
    }

    /// <summary>Answers when the stop has abandoned the work. Not awaited: its end and its faults go to the task that the framework awaits.</summary>
    private async Task ResumeAbandonedAsync(WorkOutcome outcome)
    {
        if (_flow is not null) ExecutionContext.Restore(_flow);
        try
        {
            await AnswerWithoutHandlerAsync(outcome);
            _ended.SetResult(outcome);
        }
        catch (Exception e)
        {
            _ended.SetException(e);
        }
    }

    /// <summary>Converts the outcome of the work to a result.</summary>
    private object? Conclude(WorkOutcome outcome, CancellationToken outer)
    {
        if (_accepted is not null) _accepted.Ended(outcome);
        else if (IsClientGone) _endpoint.Overload?.OnClientLeft(QueueTime + RunTime, QueueTime);
        switch (outcome)
        {
            case WorkOutcome.Completed:
                SetServerTiming();
                object? result = Answer();
                if (_accepted is not null && _longResponse is not { IsStream: true }) _lifetime.IsResultWhole = true;
                return result;
            case WorkOutcome.Failed:
                SetServerTiming();
                // Also if the request was cancelled meanwhile: a handler that does not use its token may fail for that reason.
                ExceptionDispatchInfo.Throw(_error!);
                return null;
            case WorkOutcome.Expired:
                return Rejection.Expired(Pool, _endpoint.MaxQueueTime);
            case WorkOutcome.NotStarted:
                return Rejection.NotStarted(Pool);
            case WorkOutcome.Withdrawn or WorkOutcome.Cancelled when IsClientGone:
                return Rejection.ClientGone;
            case WorkOutcome.Cancelled when outer.IsCancellationRequested && _accepted is null:
                // Middleware such as a request timeout has cancelled it, and writes its own response.
                throw new OperationCanceledException(outer);
            default:
                return Rejection.StateUnknown(Pool);
        }
    }

    private void SetServerTiming()
    {
        if (!WritesItself && !Volatile.Read(ref _isOver) && ServerTiming.Set(this, Pool)) _isReferenced = true;
    }

    WorkOutcome IValueTaskSource<WorkOutcome>.GetResult(short token) => _ended.GetResult(token);

    object? IValueTaskSource<object?>.GetResult(short token) => TakeResult(token);

    ValueTaskSourceStatus IValueTaskSource<WorkOutcome>.GetStatus(short token) => _ended.GetStatus(token);

    ValueTaskSourceStatus IValueTaskSource<object?>.GetStatus(short token) => _ended.GetStatus(token);

    void IValueTaskSource<WorkOutcome>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _ended.OnCompleted(continuation, state, token, flags);

    void IValueTaskSource<object?>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _ended.OnCompleted(continuation, state, token, flags);
}
