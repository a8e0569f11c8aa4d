using System.Diagnostics;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.ObjectPool;
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
internal sealed partial class PoolRequest : IValueTaskSource<WorkOutcome>, IValueTaskSource<object?>
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
    private Activity? _run; // its span on the worker; null: there is none
    private HandlerResponse? _response; // null: the handler's run time is not limited
    private TaskCompletionSource? _returned; // completes when the handler has returned; null: its request has not ended without it
    private bool _hasReturned;
    private bool _isInPool;
    private bool _isDirect; // the framework awaits this object, and no frame of this library does
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

    /// <summary>Stages 3 to 5 of a plain RequestDelegate, which writes its answer on the worker.</summary>
    private async Task RunDelegateAsync()
    {
        if (WritesItself) ServerTiming.Announce(this, Pool.Options); // no such request is used again
        if (await RunAsync(next: null, invocation: null) is not IResult answer) return;
        // Cut off in the middle, a response must not look as if it were whole.
        if (Context.Response.HasStarted) Context.Abort();
        else await answer.ExecuteAsync(Context);
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
}
