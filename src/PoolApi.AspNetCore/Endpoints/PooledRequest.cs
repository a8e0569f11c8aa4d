using System.Diagnostics;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// One request to an endpoint that runs on a pool. It is the item in the pool's queue, and what the request's own flow
/// waits for: it is made when the request comes, submitted once the request has been bound, and over when the work has ended.
/// </summary>
internal sealed class PooledRequest(PoolEndpoint endpoint, AppPool pool, HttpContext context, IAcceptedWorkFeature? accepted)
    : AsyncPoolWorkItem, IValueTaskSource<WorkOutcome>, IHttpRequestLifetimeFeature
{
    private readonly ActivityTraceId _traceId = Activity.Current?.TraceId ?? default;

    // The request's flow goes on on the .NET ThreadPool, never on a worker: it writes to the client's socket.
    private ManualResetValueTaskSourceCore<WorkOutcome> _ended = new() { RunContinuationsAsynchronously = true };
    private Func<ValueTask<object?>>? _work;
    private ExecutionContext? _flow;
    private bool _isSubmitted;
    private bool _hasStarted; // once, at least: a filter may call the handler again
    private bool _hasEnded; // the answer is written for the client, whatever became of the work
    private CancellationToken? _aborted; // somebody has set one of his own
    private IHttpRequestLifetimeFeature? _server;

    public override string Kind => endpoint.Kind;

    public override string? Origin => endpoint.Route;

    public override ActivityTraceId TraceId => _traceId;

    public AppPool Pool => pool;

    public HttpContext Context => context;

    /// <summary>Set if this is work that was accepted before.</summary>
    public IAcceptedWorkFeature? Accepted => accepted;

    /// <summary>The client's own token; until the work has ended, the item's takes its place in <c>RequestAborted</c>.</summary>
    public CancellationToken Client { get; } = context.RequestAborted;

    /// <summary>
    /// What a handler binds as its CancellationToken: cancelled when the client goes, and when a stop misses its deadline. As a
    /// feature, because hardly any handler asks for it, and its source is made when somebody does.
    /// </summary>
    CancellationToken IHttpRequestLifetimeFeature.RequestAborted
    {
        get => _aborted ?? (_hasEnded ? Client : CancellationToken);
        set => _aborted = value;
    }

    /// <summary>Whether the client went away while its request was in the pool's hands.</summary>
    public bool IsClientGone => Client.IsCancellationRequested;

    public BodyReservation Body { get; } = new(pool.Bodies);

    /// <summary>Whether it waits or runs.</summary>
    public bool IsInPool => Volatile.Read(ref _isSubmitted);

    /// <summary>Whether a worker has begun with the work. What fails before has had no effect.</summary>
    public bool HasStarted => Volatile.Read(ref _hasStarted);

    /// <summary>What the work returned.</summary>
    public object? Result { get; private set; }

    /// <summary>What the work threw.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Hands the work to the pool. A second time too, once the first has ended: a filter may try again.</summary>
    /// <exception cref="InvalidOperationException">The first has not ended.</exception>
    public SubmitResult Submit(Func<ValueTask<object?>> work)
    {
        if (Interlocked.Exchange(ref _isSubmitted, true))
            throw new InvalidOperationException("An endpoint filter called the handler again before the first call had ended.");
        _ended.Reset();
        _hasEnded = false;
        _work = work;
        _flow = ExecutionContext.Capture();
        SubmitResult result = accepted is null ? pool.Threads.TrySubmit(this) : pool.Threads.TrySubmit(this, new SubmitOptions { Priority = accepted.Priority });
        if (result != SubmitResult.Accepted)
        {
            Over();
            return result;
        }
        // The pool forgets what was asked of an item that it takes in again.
        if (IsClientGone) Leave();
        return result;
    }

    /// <summary>Nobody waits for it any more.</summary>
    public void Leave() => Cancel(accepted is null ? NotRunReason.ClientGone : NotRunReason.Cancelled);

    /// <summary>The outcome has been taken note of.</summary>
    public void Over()
    {
        _hasEnded = true;
        Volatile.Write(ref _isSubmitted, false);
    }

    /// <summary>From here on the request's lifetime is seen through this.</summary>
    public void Attach()
    {
        _server = context.Features.Get<IHttpRequestLifetimeFeature>();
        context.Features.Set<IHttpRequestLifetimeFeature>(this);
        context.Features.Set(this);
    }

    /// <summary>And from here on no more.</summary>
    public void Detach() => context.Features.Set(_server);

    void IHttpRequestLifetimeFeature.Abort() => _server?.Abort();

    /// <summary>Completes when the work has ended, run or not. To be awaited once, after it was accepted.</summary>
    public ValueTask<WorkOutcome> Ended => new(this, _ended.Version);

    protected override async ValueTask ExecuteAsync()
    {
        Volatile.Write(ref _hasStarted, true);
        Body.Release();
        if (accepted is null) pool.Overload.Taken(QueueTime);
        else accepted.Started();
        // Inside the method's own flow, so that it is what every continuation captures.
        if (_flow is not null) ExecutionContext.Restore(_flow);
        Result = await _work!();
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        Error = exception;
        _ended.SetResult(outcome);
    }

    WorkOutcome IValueTaskSource<WorkOutcome>.GetResult(short token) => _ended.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<WorkOutcome>.GetStatus(short token) => _ended.GetStatus(token);

    void IValueTaskSource<WorkOutcome>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _ended.OnCompleted(continuation, state, token, flags);
}
