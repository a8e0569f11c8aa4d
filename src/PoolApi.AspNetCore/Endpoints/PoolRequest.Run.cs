using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <content>Stage 4, run the handler on the pool, or store the request as a job; and what became of the work.</content>
internal sealed partial class PoolRequest
{
    /// <summary>The request has become a job: whoever waits for the job's result holds nothing of the pool's.</summary>
    public void Committed() => GiveBackAll();

    private void GiveBackAll()
    {
        Context.Features.Get<IBufferedBodyFeature>()?.Release();
        _body?.Release();
        GiveBackQuota();
    }

    /// <summary>Runs the handler on the pool, and turns what does not run into an answer. Stage 3 ends by calling it.</summary>
    /// <returns>What the handler returned, or the answer.</returns>
    /// <exception cref="OperationCanceledException">The app's own middleware has cancelled the request; it has the answer.</exception>
    /// <exception cref="InvalidOperationException">An endpoint filter called again before the first call had ended.</exception>
    public ValueTask<object?> RunAsync(EndpointFilterDelegate? next, EndpointFilterInvocationContext? invocation)
    {
        if (Interlocked.Exchange(ref _isInPool, true))
            return ValueTask.FromException<object?>(new InvalidOperationException("An endpoint filter called the handler again before the first call had ended."));
        bool ends = _endpoint.HandsOn && _lifetime.TryTakeEnd();
        // The framework awaits it once, and no endpoint filter can drop it.
        _isDirect = ends && _accepted is null && _endpoint.Requests is not null;
        return _isDirect ? RunDirectly(next, invocation) : RunInFrameAsync(next, invocation, ends);
    }

    /// <summary>
    /// The short way, for most requests: no frame of this library awaits the work. This object is the result's source, and
    /// <see cref="TakeResult"/> is the other half of this method.
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

    /// <summary>The second half of <see cref="RunDirectly"/>: in the request's own flow, as the framework takes the result.</summary>
    private object? TakeResult(short token)
    {
        bool ends = true;
        try
        {
            WorkOutcome outcome = _ended.GetResult(token);
            if (outcome == WorkOutcome.Abandoned) return Results.Empty; // answered: see GoOnInPlaceAsync
            object? answer = Conclude(outcome, _lifetime.Outer);
            if (_answer is null) return answer;
            ends = false;
            return new LastAnswer(this, answer);
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
                if (_response is not null) await _response.PassAsync(Context, isWhole: false);
                return refused;
            }
            CancellationToken outer = _lifetime.Outer;
            // The pool forgets what was asked of an item before it took it in for another time.
            if (outer.IsCancellationRequested) Cancel();
            WorkOutcome outcome = await new ValueTask<WorkOutcome>(this, _ended.Version);
            if (outcome is WorkOutcome.TimedOut or WorkOutcome.Abandoned) return await AnswerInPlaceAsync(outcome);
            if (_response is not null) await _response.PassAsync(Context, isWhole: outcome == WorkOutcome.Completed);
            object? answer = Conclude(outcome, outer);
            if (!ends || _answer is null) return answer;
            ends = false;
            return new LastAnswer(this, answer);
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
        _answer?.End(); // of an earlier run, which an endpoint filter has dropped
        (_answer, _isAnswering) = (null, false);
        (_next, _invocation, _result, _error) = (next, invocation, null, null);
        (_hasReturned, _returned) = (false, null);
    }

    /// <summary>The outcome is known, or the work was refused.</summary>
    /// <param name="ends">Whether that ends the request too: then it is the last of this object.</param>
    private void LeavePool(bool ends)
    {
        _isAnswering = true; // also if the work was refused or cancelled: the answer that says so is written
        Volatile.Write(ref _isInPool, false);
        GiveBackQuota();
        if (ends) Finish();
    }

    /// <returns>The answer, if the pool does not take it.</returns>
    private Rejection? Submit()
    {
        RequestGate gate = _endpoint.Gate;
        bool isCounted = _accepted is null; // what was accepted before is not among the MaxRequests
        // The pool takes work of the app's own services for longer than requests. A request that sees the app open is waited for.
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
        if (!isSubmitted) return Pool.Threads.IsClosed ? Rejection.Draining(Pool) : Rejection.QueueFull(Pool);
        if (isCounted) gate.Admitted();
        return null;
    }

    /// <summary>Nobody waits for it any more: a waiting item is removed, a running one is told.</summary>
    private void Cancel() => _item.Cancel(_accepted is null && IsClientGone ? PoolContext.ClientGone : null);

    /// <summary>On the worker: the body's bytes are given back, and the handler runs in the request's own flow.</summary>
    private void StartWork()
    {
        Volatile.Write(ref _hasStarted, true);
        _body?.Release();
        if (_accepted is null) _endpoint.Overload?.Taken(QueueTime);
        else _accepted.Started();
        if (_flow is not null) ExecutionContext.Restore(_flow);
        if (PoolSpans.AreWanted) _run = PoolSpans.Start(this, Pool.Threads.Name);
    }

    /// <summary>The work of a synchronous handler. On the worker.</summary>
    public void Execute()
    {
        Task<object?>? pending = null;
        try
        {
            StartWork();
            ValueTask<object?> work = CallAsync();
            // A handler that returns no task has ended. A result of the app's own may go on.
            if (work.IsCompleted) _result = work.Result;
            else (_result, _isHeld) = (new PendingResult(pending = work.AsTask()), true);
        }
        finally
        {
            if (pending is null) HasReturned();
            else _ = ReturnAfterAsync(pending);
        }
    }

    /// <summary>The context is in use until the app's own result has been executed. Not awaited: see <see cref="ReturnedAsync"/>.</summary>
    private async Task ReturnAfterAsync(Task result)
    {
        await result.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        HasReturned();
    }

    private void HasReturned()
    {
        Interlocked.Exchange(ref _hasReturned, true); // a full fence; pairs with that in ReturnedAsync
        Volatile.Read(ref _returned)?.TrySetResult();
    }

    /// <summary>Completes when the handler has returned, its request having ended without it.</summary>
    private Task ReturnedAsync()
    {
        var returned = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _returned, returned);
        if (Volatile.Read(ref _hasReturned)) returned.TrySetResult();
        return returned.Task;
    }

    /// <summary>The work of an asynchronous handler. Begins on the worker, and comes back to the pool after each await.</summary>
    public async ValueTask ExecuteAsync()
    {
        try
        {
            StartWork(); // inside the method's own flow, so that it is what every continuation captures
            _result = await CallAsync();
        }
        finally
        {
            HasReturned();
        }
    }

    private ValueTask<object?> CallAsync()
    {
        if (_next is null) return CallDelegateAsync();
        ValueTask<object?> handler = _next(_invocation!);
        return handler.IsCompletedSuccessfully ? FinishAsync(handler.Result) : AwaitAsync(handler);
    }

    private async ValueTask<object?> AwaitAsync(ValueTask<object?> handler) => await FinishAsync(await handler);

    /// <summary>What of a handler's result is work is done on the pool too.</summary>
    private ValueTask<object?> FinishAsync(object? result)
    {
        if (_endpoint.Options.ExecuteResult && !_endpoint.IsAction) return BufferedResult.ExecuteAsync(Context, result);
        return LazyResult.IsLazy(result) ? LazyResult.ExecuteAsync(Context, result, _endpoint.IsAction) : ValueTask.FromResult(result);
    }

    private async ValueTask<object?> CallDelegateAsync()
    {
        if (_endpoint.Options.ExecuteResult) return await BufferedResult.ExecuteAsync(Context, _endpoint.Handler);
        await _endpoint.Handler(Context);
        return null;
    }

    /// <summary>The work has ended, run or not. On a worker, or on the thread that took it out of the queue.</summary>
    public void HasEnded(WorkOutcome outcome, Exception? error)
    {
        (_outcome, _error) = (outcome, error);
        if (_run is not null || PoolSpans.AreWanted) EndSpan(outcome, error);
        Pool.HandBack.Add(this);
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

    /// <summary>The request's own flow goes on. On the .NET ThreadPool.</summary>
    public void GoOn()
    {
        if (_isDirect && _outcome == WorkOutcome.Abandoned) _ = GoOnInPlaceAsync(_outcome);
        else _ended.SetResult(_outcome);
    }

    /// <summary>The stop has given the work up. Not awaited: it ends by what the framework awaits, and so do its faults.</summary>
    private async Task GoOnInPlaceAsync(WorkOutcome outcome)
    {
        if (_flow is not null) ExecutionContext.Restore(_flow);
        try
        {
            await AnswerInPlaceAsync(outcome);
            _ended.SetResult(outcome);
        }
        catch (Exception e)
        {
            _ended.SetException(e);
        }
    }

    /// <summary>What became of the work.</summary>
    private object? Conclude(WorkOutcome outcome, CancellationToken outer)
    {
        if (_accepted is not null) _accepted.Ended(outcome);
        else if (outcome == WorkOutcome.Expired || IsClientGone) _endpoint.Overload?.Left(QueueTime + RunTime, QueueTime);
        switch (outcome)
        {
            case WorkOutcome.Completed:
                SetServerTiming();
                return Answer();
            case WorkOutcome.Failed:
                SetServerTiming();
                // A handler that has no token of its own may find out by another way that the request was cancelled.
                ExceptionDispatchInfo.Throw(_error!);
                return null;
            case WorkOutcome.Expired:
                return Rejection.Expired(Pool, _endpoint.MaxQueueTime);
            case WorkOutcome.NotStarted:
                return Rejection.NotStarted(Pool);
            case WorkOutcome.Withdrawn or WorkOutcome.Cancelled when IsClientGone:
                return Rejection.ClientGone;
            case WorkOutcome.Cancelled when outer.IsCancellationRequested && _accepted is null:
                // Middleware has cancelled it, such as a request timeout: it has its own status, and writes its own answer.
                throw new OperationCanceledException(outer);
            default:
                return Rejection.StateUnknown(Pool);
        }
    }

    private void SetServerTiming()
    {
        if (!WritesItself && ServerTiming.Set(this, Pool)) _isHeld = true;
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
