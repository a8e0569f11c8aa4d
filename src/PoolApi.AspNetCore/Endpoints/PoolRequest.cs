using System.Diagnostics;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.ObjectPool;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// One request to an endpoint that runs on a pool, with its five stages. It owns the resources of the request, and each stage releases what only
/// that stage needed.
/// </summary>
/// <remarks>
/// <code>
///   1 admit ──► 2 buffer ──► 3 bind ──► 4 run, or store as a job ──► 5 answer
/// </code>
/// <list type="table">
/// <item><term>admit</term><description>takes the client's quota (<see cref="QuotaLease"/>), and refuses before the body is read.</description></item>
/// <item><term>buffer</term><description>takes bytes of the budget, piece by piece (<see cref="BodyBuffer"/>).</description></item>
/// <item><term>bind</term><description>is done by the framework, with the endpoint filters before RunOnPool. It calls
/// <see cref="RunAsync"/>, or for a job the <see cref="IRequestStoreFeature"/>, which stores the request and calls <see cref="Committed"/>.</description></item>
/// <item><term>run</term><description>takes a permit (MaxRequests) and a place in the queue. The worker gives the body's bytes back
/// as it starts (<see cref="StartWork"/>); the queue's place goes with the item; the quota goes when the handler has returned, or will not run.</description></item>
/// <item><term>answer</term><description>is done by the framework, off the pool. A large response takes bytes of the budget for
/// responses (<see cref="ResponseReservation"/>). A request whose work has run too long is answered while its handler still runs, and the
/// request ends after that (<see cref="AnswerWithoutHandlerAsync"/>). So does a request whose filter has stopped waiting for the handler
/// (<see cref="GiveUpAsync"/>).</description></item>
/// </list>
/// For minimal APIs, controllers and page handlers stage 4 is the handler alone. A plain RequestDelegate binds and writes itself, so all
/// of it is stage 4. <see cref="Finish"/> releases the resources that no stage has released when the request ends.
/// <para>The object is reused for another request of its endpoint when no other code can refer to it (<see cref="IsReusable"/>).</para>
/// </remarks>
internal sealed partial class PoolRequest : IValueTaskSource<WorkOutcome>, IValueTaskSource<object?>
{
    private const int MostKept = 64; // about 20 KB for each endpoint

    private static readonly object InPool = new();

    /// <summary>Replaces an ended request in its context's features, so that the object can be reused and <see cref="PoolWork.HasStarted"/> stays true.</summary>
    private static readonly PoolRequest Over = new() { _hasStarted = true };

    private readonly PoolEndpoint _endpoint;
    private PoolWorkItem _item;
    private bool _isReused; // the item has ended for an earlier request and was not submitted since
    private IAcceptedWorkFeature? _accepted; // not null: the work was accepted before
    private RequestLifetime _lifetime = null!; // as Context, from Of to Finish
    private CancellationTokenRegistration _cancelRegistration;
    private bool _isReferenced; // code that may outlive the request refers to this object
    private QuotaLease? _quota;
    private BodyReservation? _body;

    // Stage 4. The submission publishes the fields for the worker, and the continuation publishes those that the worker sets.
    private ManualResetValueTaskSourceCore<WorkOutcome> _ended;
    private EndpointFilterDelegate? _next; // null: a plain RequestDelegate
    private EndpointFilterInvocationContext? _invocation;
    private CancellationToken _boundToken; // what the handler's arguments may hold; default: the token was not read before the first run
    private ExecutionContext? _flow;
    private Activity? _run; // the span on the worker; null: there is none
    private HandlerResponse? _response; // null: the handler's run time is not limited
    private TaskCompletionSource? _returned; // completes when the handler has returned; null: its request has not ended without it
    private bool _hasReturned;
    private Task? _pending; // a request that is being stored, which uses the context outside the pool
    private object? _poolState; // null: not in the pool; InPool; or the source that completes when it has left the pool, for which the request's end waits
    private bool _isOver; // the response is written, so a filter that calls the handler now is too late
    private bool _isDirect; // the framework awaits this object itself, without an async frame of this library
    private bool _hasStarted;
    private WorkOutcome? _outcome; // null: the work has not ended
    private object? _result;
    private Exception? _error;

    // Stage 5.
    private bool _isAnswering; // the work has ended, or was refused
    private LongResponse? _longResponse; // null: the response is short

    private PoolRequest(PoolEndpoint endpoint)
    {
        _endpoint = endpoint;
        _item = NewItem();
    }

    private PoolRequest() => (_endpoint, _item) = (null!, null!);

    public HttpContext Context { get; private set; } = null!;

    /// <summary>The response's status when the request came: that of an error, if the endpoint is the error page of another.</summary>
    public int StatusBefore { get; private set; }

    public string Kind => _endpoint.Kind;

    public string? Route => _endpoint.Route;

    public ActivityTraceId TraceId { get; private set; }

    /// <summary>
    /// The token that a handler binds and that a streamed response sees. Its source is created at the first read.
    /// <see langword="null"/>: the work has ended, and only a short response is left.
    /// </summary>
    public CancellationToken? WorkToken =>
        _response is { IsDetached: true } late ? (late.IsAnswering ? null : ItemToken)
        : _isAnswering && _longResponse is not { IsStream: true } ? null
        : ItemToken;

    private CancellationToken ItemToken
    {
        get
        {
            _isReferenced = true; // by callbacks that are registered with the token
            if (_isReused) ReplaceItem();
            return _item.CancellationToken;
        }
    }

    /// <summary>Whether the work is queued or runs.</summary>
    public bool IsInPool => Volatile.Read(ref _poolState) is not null;

    /// <summary>Whether the request has ended and its object may serve another one.</summary>
    public bool HasEnded => ReferenceEquals(this, Over);

    /// <summary>Whether a worker has begun the work at least once, or the request has become a job. A request that fails before has had no effect.</summary>
    public bool HasStarted => Volatile.Read(ref _hasStarted);

    public TimeSpan QueueTime => _item.QueueTime;

    public TimeSpan RunTime => _item.RunTime;

    public string? WorkerName => _item.WorkerName;

    private PoolContext Pool => _endpoint.Pool;

    /// <summary>Whether the client has disconnected. A token that middleware cancels, such as a request timeout's, does not count.</summary>
    private bool IsClientGone => _lifetime.Departure.IsCancellationRequested;

    /// <summary>Whether the request has reached the handler of this endpoint and enters the pool there.</summary>
    public bool IsAtHandlerOf(PoolEndpoint endpoint) => ReferenceEquals(_endpoint, endpoint) && endpoint.HasHandler;

    /// <summary>Finds the request that enters the pool at an action or a page's handler, and not by an endpoint filter.</summary>
    public static PoolRequest? InFrontOfMvcHandler(HttpContext context) =>
        Find(context) is { IsInPool: false, _endpoint.HasMvcFilter: true } request
        // An error page has the same context, which still has the failed request.
        && ReferenceEquals(request._endpoint, PoolEndpoint.OfRequest(context))
            ? request
            : null;

    /// <summary>Finds the request of a context, also after its end.</summary>
    /// <remarks>
    /// By the lifetime first, which is a feature that the server knows: a lookup of any other feature costs five times as much. Middleware may have
    /// replaced the lifetime.
    /// </remarks>
    public static PoolRequest? Find(HttpContext context) =>
        (context.Features.Get<IHttpRequestLifetimeFeature>() as RequestLifetime)?.Request ?? context.Features.Get<PoolRequest>();

    /// <summary>Whether the request of a context is queued or runs on a pool.</summary>
    /// <remarks>
    /// Unlike <see cref="Find"/>, it looks no further than a lifetime without a request. That is the usual case, a request that comes to its first pool,
    /// and a request in the pool has set the lifetime.
    /// </remarks>
    public static bool IsAnyInPool(HttpContext context) =>
        (context.Features.Get<IHttpRequestLifetimeFeature>() is RequestLifetime lifetime ? lifetime.Request : context.Features.Get<PoolRequest>())
        is { IsInPool: true };

    /// <summary>Creates the cache of ended requests for an endpoint.</summary>
    public static ObjectPool<PoolRequest> NewCache(PoolEndpoint endpoint) => new DefaultObjectPool<PoolRequest>(new Reuse(endpoint), MostKept);

    private PoolWorkItem NewItem() => _endpoint.IsSynchronous ? new SynchronousHandlerItem(this) : new AsynchronousHandlerItem(this);

    /// <summary>
    /// Replaces an item that has ended, because its token is read before it is submitted again, as by binding: the submission of an ended item has
    /// another token, and the earlier one would never be cancelled.
    /// </summary>
    private void ReplaceItem()
    {
        _isReused = false;
        Interlocked.Exchange(ref _item, NewItem()); // a full fence: either the callback of the client's token sees the item, or this thread the cancellation
        if (_lifetime.Outer.IsCancellationRequested) Cancel();
    }

    /// <summary>Returns a reused object or a new one.</summary>
    private static PoolRequest Of(PoolEndpoint endpoint, HttpContext context, QuotaLease? quota, IAcceptedWorkFeature? accepted)
    {
        PoolRequest request = (accepted is null ? endpoint.RequestCache?.Get() : null) ?? new PoolRequest(endpoint);
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

    private Task ProcessAsync(bool hasBody)
    {
        Context.Features.Set(this);
        _lifetime.Enter(this);
        // Registered until the request ends, not only for the run: the work's token also cancels a streamed response.
        _cancelRegistration = _lifetime.Outer.UnsafeRegister(static request => ((PoolRequest)request!).Cancel(), this);
        if (hasBody || !_endpoint.FinishesWithWork) return EndAsync(hasBody ? BufferAndInvokeAsync() : InvokeAsync());

        // If the framework calls RunAsync before it returns, RunAsync takes the finish: LeavePool or FinishingResult ends the request, and the caller awaits
        // the framework's task directly. Then this object may already serve another request when InvokeAsync has returned.
        RequestLifetime lifetime = _lifetime;
        Task answered = InvokeAsync();
        // If this call takes the finish, RunAsync was not called yet, or never will be. The request has not ended, and EndAsync ends it.
        return lifetime.TryTakeFinish() ? EndAsync(answered) : answered;
    }

    private async Task BufferAndInvokeAsync()
    {
        _lifetime.TryTakeFinish(); // EndAsync ends the request
        if (await BufferAsync() is { } refused)
        {
            ReleaseQuota();
            await refused.ExecuteAsync(Context);
            return;
        }
        await InvokeAsync();
    }

    private Task InvokeAsync()
    {
        if (!_endpoint.HasHandler) return RunDelegateAsync();
        try
        {
            return _endpoint.Handler(Context); // binds, calls RunAsync, and writes the response
        }
        catch (Exception e)
        {
            return Task.FromException(e);
        }
    }

    /// <summary>Stages 3 to 5 of a plain RequestDelegate, which writes its response on the worker.</summary>
    private async Task RunDelegateAsync()
    {
        if (WritesItself) ServerTiming.Announce(this, Pool.Options); // such requests are not reused
        if (await RunAsync(next: null, invocation: null) is not IResult result) return;
        // A response that was cut off must not look complete.
        if (Context.Response.HasStarted) NoStore.Abort(Context);
        else await result.ExecuteAsync(Context);
    }

    /// <summary>Waits for the response and ends the request.</summary>
    private async Task EndAsync(Task answered)
    {
        try
        {
            await answered;
            // The framework ends a JSON response silently when its token is cancelled.
            if (IsCutOff) await CutOffAsync();
        }
        catch (OperationCanceledException) when (IsCutOff && _longResponse!.IsOverdue)
        {
            await CutOffAsync();
        }
        catch (BodyLimitException e) when (!Context.Response.HasStarted)
        {
            // The server makes 413 of its own exception only.
            await Rejection.PayloadTooLarge(Pool, e.Limit).ExecuteAsync(Context);
        }
        catch (OutOfMemoryException) when (IsOutOfMemory)
        {
            await OutOfMemory().ExecuteAsync(Context);
        }
        finally
        {
            try
            {
                await OutlastWorkAsync(isAnswered: answered.IsCompletedSuccessfully);
            }
            finally
            {
                Finish();
            }
        }
    }

    /// <summary>
    /// Waits for work, or a store, that a filter around the pool has given up, since it uses the context. Usually there is none: the filter has awaited it.
    /// </summary>
    private Task OutlastWorkAsync(bool isAnswered)
    {
        Interlocked.Exchange(ref _isOver, true); // a full fence; pairs with those in RunAsync and StoreAsync: either this thread sees the work, or that call sees the end
        return IsInPool || IsPending ? GiveUpAsync(isAnswered) : Task.CompletedTask;
    }

    private bool IsPending => _pending is { IsCompleted: false };

    /// <summary>
    /// Whether a lack of memory leads to a refusal: no worker has begun the work, and no job has been committed, so nothing has an effect, and no
    /// response has begun. (The budgets bound what clients send, but other code of the process may still use up the memory.)
    /// </summary>
    private bool IsOutOfMemory => !HasStarted && !Context.Response.HasStarted;

    private Rejection OutOfMemory()
    {
        ReleaseBodyAndQuota();
        _accepted?.Refused();
        return Counted(Pool, Rejection.OutOfMemory(Pool));
    }

    /// <summary>
    /// Gives back what no stage has given back: after the response, or before a short one. Called once, by <see cref="EndAsync"/> or, if
    /// <see cref="PoolEndpoint.FinishesWithWork"/>, by the flow that <see cref="RequestLifetime.TryTakeFinish"/> chooses.
    /// </summary>
    private void Finish()
    {
        // Not awaited: an ended request has nothing to cancel. But a running callback refers to this object.
        if (!_cancelRegistration.Unregister() && _lifetime.Outer.CanBeCanceled) _isReferenced = true;
        _longResponse?.End();
        _body?.Release();
        ReleaseQuota();
        _lifetime.Leave();
        // Late code of a job's attempt continues with the context, in which its token stays cancelled.
        if (_accepted is not null && _outcome is WorkOutcome.TimedOut or WorkOutcome.Abandoned) Context.RequestAborted = ItemToken;
        if (IsReusable) ReturnToCache();
    }

    /// <summary>
    /// Whether no other code refers to this object: the work has run to its end, no callback of a token or of the response refers to it, and
    /// the work's token was never read. Only for endpoints whose work ends with the handler's return (<see cref="PoolEndpoint.RequestCache"/>).
    /// </summary>
    private bool IsReusable =>
        !_isReferenced && !IsInPool && HasStarted && _outcome is WorkOutcome.Completed or WorkOutcome.Failed
        && _longResponse is null && _accepted is null && _endpoint.RequestCache is not null;

    private void ReturnToCache()
    {
        Context.Features.Set(Over);
        _lifetime.Request = Over;
        (Context, _lifetime, _cancelRegistration, _body, TraceId) = (null!, null!, default, null, default);
        (_next, _invocation, _flow, _result, _error) = (null, null, null, null, null);
        (_hasStarted, _isAnswering, _isOver, _outcome, _isReused) = (false, false, false, null, true);
        _ended.Reset();
        _endpoint.RequestCache!.Return(this);
    }

    private void ReleaseQuota()
    {
        _quota?.Dispose();
        _quota = null;
    }

    private sealed class Reuse(PoolEndpoint endpoint) : IPooledObjectPolicy<PoolRequest>
    {
        public PoolRequest Create() => new(endpoint);

        public bool Return(PoolRequest obj) => true;
    }
}
