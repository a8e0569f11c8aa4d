using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.ObjectPool;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// One request on its way through an endpoint that runs on a pool. It owns what the request holds, and each stage gives back what only
/// that stage needed.
/// </summary>
/// <remarks>
/// <code>
///   1 admit ──► 2 buffer ──► 3 bind ──► 4 run, or store as a job ──► 5 answer
/// </code>
/// <list type="table">
/// <item><term>admit</term><description>takes the client's quota (<see cref="QuotaLease"/>); refuses before anything of the request is read.</description></item>
/// <item><term>buffer</term><description>takes bytes of the budget, piece by piece (<see cref="BodyBuffer"/>).</description></item>
/// <item><term>bind</term><description>is the framework's, and so are the endpoint filters before RunOnPool. It comes back by
/// <see cref="RunAsync"/>, or in the case of a job goes to the <see cref="IRequestStoreFeature"/>, which stores the request and calls <see cref="Committed"/>.</description></item>
/// <item><term>run</term><description>takes a place of the gate (MaxRequests) and of the queue. The worker gives the body's bytes back
/// as it starts (<see cref="StartWork"/>); the queue's place goes with the item; the quota goes when the handler has returned, or will not run.</description></item>
/// <item><term>answer</term><description>is the framework's again, off the pool. A large answer takes bytes of the budget for
/// answers (<see cref="AnswerLease"/>). Work that has run too long is answered while its handler still runs, and the request
/// ends after that (<see cref="AnswerInPlaceAsync"/>).</description></item>
/// </list>
/// For minimal APIs, controllers and page handlers stage 4 is the handler alone. A plain RequestDelegate binds and writes by itself: all
/// of it is stage 4. Whatever a stage has not given back when the request is over, <see cref="Finish"/> does.
/// <para>The object serves another request of its endpoint once nobody else can hold it (<see cref="IsReusable"/>).</para>
/// </remarks>
internal sealed class PoolRequest : IValueTaskSource<WorkOutcome>
{
    private const int MostKept = 64; // some 20 KB an endpoint

    /// <summary>In the place of one that is over, and may serve another request: its work has been done.</summary>
    private static readonly PoolRequest Over = new() { _hasStarted = true };

    private readonly PoolEndpoint _endpoint;
    private readonly PoolWorkItem _item;
    private IAcceptedWorkFeature? _accepted; // set if this is work that was accepted before
    private RequestLifetime _lifetime = null!; // as Context, from Of to Finish
    private CancellationTokenRegistration _leaving;
    private bool _isHeld; // something that may outlive the request knows this object
    private QuotaLease? _quota;
    private BodyReservation? _body;

    // Stage 4. What is set for the worker is published by the submission, what the worker sets by the hand-back.
    private ManualResetValueTaskSourceCore<WorkOutcome> _ended;
    private EndpointFilterDelegate? _next; // null: a plain RequestDelegate
    private EndpointFilterInvocationContext? _invocation;
    private ExecutionContext? _flow;
    private HandlerResponse? _response; // null: the handler's run time is not limited
    private TaskCompletionSource? _returned; // completes when the handler has returned; null: its request has not ended without it
    private bool _hasReturned;
    private bool _isInPool;
    private bool _hasStarted;
    private WorkOutcome _outcome;
    private object? _result;
    private Exception? _error;

    // Stage 5.
    private bool _isAnswering; // the work has ended, or was refused
    private LongAnswer? _answer; // null: a short one

    private PoolRequest(PoolEndpoint endpoint)
    {
        _endpoint = endpoint;
        _item = endpoint.IsSynchronous ? new SynchronousHandlerItem(this) : new AsynchronousHandlerItem(this);
    }

    private PoolRequest() => (_endpoint, _item) = (null!, null!);

    public HttpContext Context { get; private set; } = null!;

    /// <summary>The response's status when the request came: that of an error, if the endpoint is the error page of another.</summary>
    public int StatusBefore { get; private set; }

    public string Kind => _endpoint.Kind;

    public string? Route => _endpoint.Route;

    public ActivityTraceId TraceId { get; private set; }

    /// <summary>
    /// What a handler binds as its CancellationToken, and a streamed answer sees. Its source is made when somebody asks for it.
    /// <see langword="null"/>: the work has ended, and nothing but a short answer is left.
    /// </summary>
    public CancellationToken? WorkToken =>
        _response is { IsDetached: true } late ? (late.IsAnswering ? null : ItemToken)
        : _isAnswering && _answer is not { IsStream: true } ? null
        : ItemToken;

    private CancellationToken ItemToken
    {
        get
        {
            _isHeld = true; // by who registers with it
            return _item.CancellationToken;
        }
    }

    /// <summary>Whether its work waits or runs.</summary>
    public bool IsInPool => Volatile.Read(ref _isInPool);

    /// <summary>Whether a worker has begun with its work, once at least. What fails before has had no effect.</summary>
    public bool HasStarted => Volatile.Read(ref _hasStarted);

    public TimeSpan QueueTime => _item.QueueTime;

    public TimeSpan RunTime => _item.RunTime;

    public string? WorkerName => _item.WorkerName;

    private PoolContext Pool => _endpoint.Pool;

    /// <summary>Whether the client has left: a token that middleware cancels, such as a request timeout's, is no departure.</summary>
    private bool IsClientGone => _lifetime.Departure.IsCancellationRequested;

    /// <summary>Whether the request has come to the handler of this endpoint, and enters the pool there.</summary>
    public bool IsAtHandlerOf(PoolEndpoint endpoint) => ReferenceEquals(_endpoint, endpoint) && endpoint.HasHandler;

    /// <summary>The request that enters the pool in front of an action or a page's handler, and not by an endpoint filter.</summary>
    public static PoolRequest? InFrontOfMvcHandler(HttpContext context) =>
        context.Features.Get<PoolRequest>() is { IsInPool: false, _endpoint.HasMvcFilter: true } request
        // An error page has the same context, and in it the request that has failed.
        && ReferenceEquals(request._endpoint, context.GetEndpoint()?.Metadata.GetMetadata<PoolEndpoint>())
            ? request
            : null;

    /// <summary>Keeps some that are over, for an endpoint's next requests.</summary>
    public static ObjectPool<PoolRequest> NewCache(PoolEndpoint endpoint) => new DefaultObjectPool<PoolRequest>(new Reuse(endpoint), MostKept);

    /// <summary>An object that has served a request before, or a new one.</summary>
    private static PoolRequest Of(PoolEndpoint endpoint, HttpContext context, QuotaLease? quota, IAcceptedWorkFeature? accepted)
    {
        PoolRequest request = (accepted is null ? endpoint.Requests?.Get() : null) ?? new PoolRequest(endpoint);
        request.Context = context;
        request.StatusBefore = context.Response.StatusCode;
        request._quota = quota;
        request._accepted = accepted;
        request.TraceId = Activity.Current?.TraceId ?? default;
        IHttpRequestLifetimeFeature? lifetime = context.Features.Get<IHttpRequestLifetimeFeature>();
        request._lifetime = lifetime as RequestLifetime ?? new RequestLifetime(lifetime);
        if (!ReferenceEquals(lifetime, request._lifetime)) context.Features.Set<IHttpRequestLifetimeFeature>(request._lifetime);
        return request;
    }

    // --- 1 admit ------------------------------------------------------------------------------------------------------

    /// <summary>Takes a request through all stages.</summary>
    public static Task ServeAsync(PoolEndpoint endpoint, HttpContext context) =>
        context.Features.Get<PoolRequest>() is { IsInPool: true }
            ? endpoint.Handler(context) // all of the pipeline runs on a pool already
            : AdmitAsync(endpoint, context, needsRoom: true);

    /// <summary>The same for a request that is stored, and run later: it needs no room in the pool.</summary>
    public static Task StoreAsync(PoolEndpoint endpoint, HttpContext context) => AdmitAsync(endpoint, context, needsRoom: false);

    /// <summary>And for one that was stored: all that could refuse it had its say when it came. A stop waits for it as for any request.</summary>
    public static async Task RunStoredAsync(PoolEndpoint endpoint, HttpContext context)
    {
        OpenRequests.Epoch requests = endpoint.Shutdown.Requests.Enter();
        try
        {
            await Of(endpoint, context, quota: null, context.Features.GetRequiredFeature<IAcceptedWorkFeature>()).PassAsync(hasBody: false);
        }
        finally
        {
            requests.Exit();
        }
    }

    private static Task AdmitAsync(PoolEndpoint endpoint, HttpContext context, bool needsRoom)
    {
        bool hasBody = HasBody(context);
        QuotaLease? quota = TakeQuota(endpoint, context, out Rejection? refused);
        if (needsRoom) refused ??= FindRoom(endpoint, hasBody);
        return refused is null ? Of(endpoint, context, quota, accepted: null).PassAsync(hasBody) : RefuseAsync(endpoint, context, quota, refused);
    }

    private static Rejection? FindRoom(PoolEndpoint endpoint, bool hasBody) =>
        endpoint.Overload?.ShouldRefuse() == true ? Rejection.Overloaded(endpoint.Pool)
        : hasBody && endpoint.Pool.Admission.IsLikelyFull ? Rejection.QueueFull(endpoint.Pool)
        : null;

    private static bool HasBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? context.Request.ContentLength > 0;

    private static QuotaLease? TakeQuota(PoolEndpoint endpoint, HttpContext context, out Rejection? refused)
    {
        // Before the body is read: the client need not send it in vain. The stage that runs it decides again, exactly.
        if (endpoint.Shutdown.IsClosed)
        {
            refused = Rejection.Draining(endpoint.Pool);
            return null;
        }
        // Before the room in the pool is looked at: a client that has used its quota is told so, however much room there is.
        return QuotaLease.Take(endpoint.Pool, context, out refused);
    }

    private static async Task RefuseAsync(PoolEndpoint endpoint, HttpContext context, QuotaLease? quota, Rejection refused)
    {
        using (quota) await Counted(endpoint.Pool, refused).ExecuteAsync(context);
    }

    // --- the way through the rest -------------------------------------------------------------------------------------

    private Task PassAsync(bool hasBody)
    {
        Context.Features.Set(this);
        _lifetime.Enter(this);
        // Through all stages: the token that the handler has bound is also what the answer of its stream goes by.
        _leaving = _lifetime.Outer.UnsafeRegister(static request => ((PoolRequest)request!).Cancel(), this);
        if (hasBody || !_endpoint.HandsOn) return EndAsync(hasBody ? BufferAndPassAsync() : PassOnAsync());

        // RunAsync ends the request, and the framework's task is the caller's: no frame of this library waits for it. From here on
        // this object may serve another request.
        RequestLifetime lifetime = _lifetime;
        Task answered = PassOnAsync();
        // RunAsync was not called yet, or will not be: the request is still here.
        return lifetime.TryTakeEnd() ? EndAsync(answered) : answered;
    }

    private async Task BufferAndPassAsync()
    {
        _lifetime.TryTakeEnd(); // EndAsync waits already
        if (await BufferAsync() is { } refused)
        {
            GiveBackQuota();
            await refused.ExecuteAsync(Context);
            return;
        }
        await PassOnAsync();
    }

    private Task PassOnAsync()
    {
        if (!_endpoint.HasHandler) return RunDelegateAsync();
        try
        {
            return _endpoint.Handler(Context); // binds, comes back by RunAsync, and writes the answer
        }
        catch (Exception e)
        {
            return Task.FromException(e);
        }
    }

    /// <summary>Waits for the answer, and ends the request.</summary>
    private async Task EndAsync(Task answered)
    {
        try
        {
            await answered;
            // What the framework writes as JSON ends without a word when its token is cancelled.
            if (IsCutOff) await CutOffAsync();
        }
        catch (OperationCanceledException) when (IsCutOff && _answer!.IsOverdue)
        {
            await CutOffAsync();
        }
        catch (OutOfMemoryException) when (IsOutOfMemory)
        {
            await OutOfMemory().ExecuteAsync(Context);
        }
        finally
        {
            Finish();
        }
    }

    /// <summary>
    /// The budgets hold what clients send, and the rest of the process may still have used up the memory. Where nothing has run, that is
    /// no failure of the work.
    /// </summary>
    private bool IsOutOfMemory => !HasStarted && !Context.Response.HasStarted;

    private Rejection OutOfMemory()
    {
        GiveBackAll();
        return Counted(Pool, Rejection.OutOfMemory(Pool));
    }

    /// <summary>The request is over, or nothing is left of it but a short answer. Called once, by whoever has taken its end.</summary>
    private void Finish()
    {
        // Not waited for: of a request that is over nothing is left to be cancelled. But while it runs it holds this object.
        if (!_leaving.Unregister() && _lifetime.Outer.CanBeCanceled) _isHeld = true;
        _answer?.End();
        _body?.Release();
        GiveBackQuota();
        _lifetime.Leave();
        if (IsReusable) GiveBack();
    }

    /// <summary>
    /// Whether nobody else holds this object: the work has run to its end, no callback of a token or of the response knows the object, and
    /// nobody has the work's token. Only of endpoints whose work ends with the handler's return (<see cref="PoolEndpoint.Requests"/>).
    /// </summary>
    private bool IsReusable =>
        !_isHeld && HasStarted && _outcome is WorkOutcome.Completed or WorkOutcome.Failed
        && _answer is null && _accepted is null && _endpoint.Requests is not null;

    private void GiveBack()
    {
        Context.Features.Set(Over);
        (Context, _lifetime, _leaving, _body, TraceId) = (null!, null!, default, null, default);
        (_next, _invocation, _flow, _result, _error) = (null, null, null, null, null);
        (_hasStarted, _isAnswering) = (false, false);
        _ended.Reset();
        _endpoint.Requests!.Return(this);
    }

    // --- 2 buffer -----------------------------------------------------------------------------------------------------

    /// <summary>A body that is still under way when the app closes is not waited for: its work would be refused anyway.</summary>
    private async ValueTask<Rejection?> BufferAsync()
    {
        _body = new BodyReservation(Pool.Bodies);
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(_lifetime.Outer, _endpoint.Shutdown.Closed);
        try
        {
            Rejection? refused = await BodyBuffer.ReadAsync(Context, Pool, _endpoint.Options.MaxBodyBytes, _body, reading.Token);
            return refused is null ? null : Counted(Pool, refused);
        }
        catch (OperationCanceledException) when (_endpoint.Shutdown.IsClosed && !_lifetime.Outer.IsCancellationRequested)
        {
            return Counted(Pool, Rejection.Draining(Pool));
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return Rejection.MalformedBody(Pool, Context);
        }
    }

    /// <summary>
    /// Whether the server could not make out the body. For some of that it has an exception with a status; for a chunk size that does not
    /// fit into its integer, and for a connection that breaks, it has a plain <see cref="IOException"/>.
    /// </summary>
    private static bool IsMalformed(Exception e) =>
        e is BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } or (IOException and not BadHttpRequestException);

    // --- 4 store ------------------------------------------------------------------------------------------------------

    /// <summary>The request has become a job: whoever waits for the job's result holds nothing of the pool's.</summary>
    public void Committed() => GiveBackAll();

    private void GiveBackAll()
    {
        Context.Features.Get<IBufferedBodyFeature>()?.Release();
        _body?.Release();
        GiveBackQuota();
    }

    // --- 4 run --------------------------------------------------------------------------------------------------------

    /// <summary>Runs the handler on the pool, and turns what does not run into an answer. Stage 3 ends by calling it.</summary>
    /// <returns>What the handler returned, or the answer.</returns>
    /// <exception cref="OperationCanceledException">The app's own middleware has cancelled the request; it has the answer.</exception>
    /// <exception cref="InvalidOperationException">An endpoint filter called again before the first call had ended.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<object?> RunAsync(EndpointFilterDelegate? next, EndpointFilterInvocationContext? invocation)
    {
        if (Interlocked.Exchange(ref _isInPool, true))
            throw new InvalidOperationException("An endpoint filter called the handler again before the first call had ended.");
        bool ends = _endpoint.HandsOn && _lifetime.TryTakeEnd();
        try
        {
            _ended.Reset();
            _answer?.End(); // of an earlier run, which an endpoint filter has dropped
            (_answer, _isAnswering) = (null, false);
            (_next, _invocation, _result, _error) = (next, invocation, null, null);
            (_hasReturned, _returned) = (false, null);
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
            _isAnswering = true; // also if the work was refused or cancelled: the answer that says so is written
            Volatile.Write(ref _isInPool, false);
            GiveBackQuota(); // the outcome is known
            if (ends) Finish(); // the last of this object
        }
    }

    /// <returns>The answer, if the pool does not take it.</returns>
    private Rejection? Submit()
    {
        RequestGate gate = _endpoint.Gate;
        bool isCounted = _accepted is null; // what was accepted before is not among the MaxRequests
        // The pool takes work of the app's own services for longer than requests. A request that sees the app open is waited for.
        if (_endpoint.Shutdown.IsClosed) return Counted(Pool, Rejection.Draining(Pool));
        if (isCounted && !gate.TryReserve()) return Counted(Pool, Rejection.Draining(Pool));

        SubmitResult? submitted = null;
        try
        {
            _flow = ExecutionContext.Capture();
            submitted = Pool.Threads.TrySubmit(_item, options: _accepted is null
                ? _endpoint.Submission
                : new WorkOptions { Priority = _accepted.Priority, MaxRunTime = _endpoint.Options.MaxRunTime });
        }
        finally
        {
            if (isCounted && submitted != SubmitResult.Accepted) gate.GiveBack();
        }
        if (submitted != SubmitResult.Accepted)
            return submitted == SubmitResult.Closed ? Rejection.Draining(Pool) : Rejection.QueueFull(Pool);
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
        Pool.HandBack.Add(this);
    }

    /// <summary>The request's own flow goes on. On the .NET ThreadPool.</summary>
    public void GoOn() => _ended.SetResult(_outcome);

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

    // --- 5 answer -----------------------------------------------------------------------------------------------------

    /// <summary>
    /// The work has ended, and the handler may run on: it has run too long and does not listen to its token, or the stop has given it up.
    /// The client is told at once. The context is the handler's until it returns, so the request ends after that. Of what a job was
    /// stored for, the context is its own, and nobody waits.
    /// </summary>
    /// <returns>A result that writes nothing; or the answer, for work that was accepted before.</returns>
    private async ValueTask<object?> AnswerInPlaceAsync(WorkOutcome outcome)
    {
        Task over = DisposeLateResultAsync();
        _accepted?.GoesOn(over);
        _accepted?.Ended(outcome);
        if (_accepted is not null && _response is null) return Rejection.StateUnknown(Pool);
        _isAnswering = true; // the quota goes when the handler has returned: until then the client has a worker
        Func<HttpContext, Task> write = outcome == WorkOutcome.TimedOut ? WriteRunTimeoutAsync : WriteStateUnknownAsync;
        try
        {
            if (_response is { } own && own.TryDetach())
            {
                await own.AnswerAsync(Context, write);
            }
            else if (_response is null && !Context.Response.HasStarted)
            {
                await write(Context);
                await Context.Response.CompleteAsync();
            }
            else
            {
                Context.Abort(); // cut off in the middle, a response must not look as if it were whole
            }
        }
        finally
        {
            if (_accepted is null)
            {
                // A stop that misses its deadline does not wait for the handler, nor does the process. The context is the handler's all the same.
                await over.WaitAsync(_endpoint.Shutdown.Overdue).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!over.IsCompleted) _lifetime.StopCounting();
                await over;
            }
        }
        return _endpoint.HasHandler ? Results.Empty : null;
    }

    /// <summary>Nobody else disposes of what a handler returns after its request was answered without it.</summary>
    /// <returns>Completes when the handler has returned and its result is gone. Never fails.</returns>
    private async Task DisposeLateResultAsync()
    {
        await ReturnedAsync();
        (object? late, _result) = (_result, null);
        await LateResult.DisposeAsync(late, Context);
    }

    private Task WriteStateUnknownAsync(HttpContext context)
    {
        PrepareInPlace(context);
        return Rejection.StateUnknown(Pool).ExecuteAsync(context);
    }

    private Task WriteRunTimeoutAsync(HttpContext context)
    {
        PrepareInPlace(context);
        return Rejection.RunTimeout(Pool, _endpoint.MaxRunTime).ExecuteAsync(context);
    }

    private void PrepareInPlace(HttpContext context)
    {
        NotStored.Set(Context); // for who looks for that as the response starts
        // The connection takes its next request when this one ends, which may be late. (Other versions of HTTP have streams for that.)
        if (_accepted is null && HttpProtocol.IsHttp11(context.Request.Protocol)) context.Response.Headers.Connection = "close";
    }

    /// <summary>What the work returned. If that is many bytes, they count until the client has read them.</summary>
    private object? Answer()
    {
        object? result = _result;
        _result = null;
        if (StreamedResult.Is(result))
        {
            _answer = new LongAnswer(_endpoint.Shutdown, isStream: true, Cancel);
            return result;
        }
        // The answer of work that was accepted before has no client yet.
        long length = result switch
        {
            _ when _accepted is not null => 0,
            FileContentHttpResult file => file.FileContents.Length,
            BufferedResult buffered => buffered.Length,
            _ => 0,
        };
        if (length <= AnswerBudget.Small) return result;
        if (Pool.Answers.TryTake(Context, length) is not { } lease) return Rejection.AnswersFull(Pool);
        _answer = new LongAnswer(_endpoint.Shutdown, isStream: false, Cancel);
        return new HeldAnswer((IResult)result!, lease);
    }

    /// <summary>Whether a stream was told to end before its end.</summary>
    private bool IsCutOff => _answer is { IsStream: true } && _item.IsCancellationRequested;

    /// <summary>Cut off in the middle, a response must not look as if it were whole; nor must the result of a job.</summary>
    private Task CutOffAsync()
    {
        if (_accepted is not null) _accepted.Ended(WorkOutcome.Cancelled);
        // Events have no end that could be missed.
        else if (Context.Response.HasStarted && !IsEventStream(Context.Response)) Context.Abort();
        else if (!Context.Response.HasStarted && _answer!.IsOverdue) return Rejection.StateUnknown(Pool).ExecuteAsync(Context);
        return Task.CompletedTask;
    }

    private static bool IsEventStream(HttpResponse response) =>
        response.ContentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Whether the work itself writes the response, and not into memory.</summary>
    private bool WritesItself => !_endpoint.HasHandler && !_endpoint.Options.ExecuteResult;

    /// <summary>Stages 3 to 5 of a plain RequestDelegate, which writes its answer on the worker.</summary>
    private async Task RunDelegateAsync()
    {
        if (WritesItself) ServerTiming.Announce(this, Pool.Options); // no such request is used again
        if (await RunAsync(next: null, invocation: null) is not IResult answer) return;
        // Cut off in the middle, a response must not look as if it were whole.
        if (Context.Response.HasStarted) Context.Abort();
        else await answer.ExecuteAsync(Context);
    }

    /// <summary>A refusal in front of the pool; those of the pool itself it has counted already.</summary>
    private static Rejection Counted(PoolContext pool, Rejection rejection)
    {
        pool.Admission.CountRejected(rejection.Reason);
        return rejection;
    }

    private void GiveBackQuota()
    {
        _quota?.Dispose();
        _quota = null;
    }

    private sealed class Reuse(PoolEndpoint endpoint) : IPooledObjectPolicy<PoolRequest>
    {
        public PoolRequest Create() => new(endpoint);

        public bool Return(PoolRequest obj) => true;
    }

    /// <summary>A long answer of a request that nothing waits for but the framework. Written, it ends the request.</summary>
    private sealed class LastAnswer(PoolRequest request, object? answer) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => request.EndAsync(WriteAsync(httpContext));

        private async Task WriteAsync(HttpContext context) => await BufferedResult.WriteAsync(context, answer!);
    }

    WorkOutcome IValueTaskSource<WorkOutcome>.GetResult(short token) => _ended.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<WorkOutcome>.GetStatus(short token) => _ended.GetStatus(token);

    void IValueTaskSource<WorkOutcome>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _ended.OnCompleted(continuation, state, token, flags);
}
