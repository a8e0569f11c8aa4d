using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace PoolApi.Threading.Core;

/// <summary>Synchronous work from a delegate, whose caller awaits the result.</summary>
internal sealed class DelegateWorkItem<TResult>(PoolCore core, Func<CancellationToken, TResult> work, in WorkOptions options)
    : PoolWorkItem, IResultSource<TResult>
{
    private readonly WorkCall<TResult> _call = new(core, options);

    public override string Kind => _call.Kind;

    public override string? Origin => _call.Origin;

    public override ActivityTraceId TraceId => _call.TraceId;

    public WorkCall<TResult> Call => _call;

    protected override void Execute()
    {
        if (_call.Context is null) Invoke();
        else ExecutionContext.Run(_call.Context, static self => ((DelegateWorkItem<TResult>)self!).Invoke(), this);
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => _call.Complete(outcome, exception, CancellationToken);

    private void Invoke() => _call.Result = work(CancellationToken);
}

/// <summary>Asynchronous work from a delegate, whose caller awaits the result.</summary>
internal sealed class AsyncDelegateWorkItem<TResult>(PoolCore core, Func<CancellationToken, Task<TResult>> work, in WorkOptions options)
    : AsyncPoolWorkItem, IResultSource<TResult>
{
    private readonly WorkCall<TResult> _call = new(core, options);

    public override string Kind => _call.Kind;

    public override string? Origin => _call.Origin;

    public override ActivityTraceId TraceId => _call.TraceId;

    public WorkCall<TResult> Call => _call;

    protected override async ValueTask ExecuteAsync()
    {
        // Restored here, inside the method's own flow, so that it is what every continuation captures.
        if (_call.Context is not null) ExecutionContext.Restore(_call.Context);
        _call.Result = await work(CancellationToken);
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => _call.Complete(outcome, exception, CancellationToken);
}

/// <summary>An item whose end is somebody's result.</summary>
internal interface IResultSource<TResult>
{
    WorkCall<TResult> Call { get; }
}

/// <summary>
/// The caller's side of an item: what was said about the work, the context it flows from, and the result. The caller's
/// continuation never runs on a worker.
/// </summary>
internal sealed class WorkCall<TResult> : IValueTaskSource<TResult>, IValueTaskSource
{
    private readonly PoolCore _core;
    private readonly WorkOptions _options;
    private ManualResetValueTaskSourceCore<TResult> _source = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _registration;

    public WorkCall(PoolCore core, in WorkOptions options)
    {
        _core = core;
        _options = options;
        Context = ExecutionContext.Capture();
        TraceId = options.TraceId == default ? Activity.Current?.TraceId ?? default : options.TraceId;
    }

    public string Kind => _options.Kind ?? "work";

    public string? Origin => _options.Origin;

    public ActivityTraceId TraceId { get; }

    /// <summary>The caller's context, in which the work runs; <see langword="null"/> where flow is suppressed.</summary>
    public ExecutionContext? Context { get; }

    public TResult Result { get; set; } = default!;

    public short Version => _source.Version;

    /// <summary>Before the item is submitted: from then on the caller's token cancels it.</summary>
    public void Watch(PoolWorkItem item) =>
        _registration = _options.CancellationToken.UnsafeRegister(static item => ((PoolWorkItem)item!).Cancel(), item);

    public void Unwatch() => _registration.Unregister();

    public void Complete(WorkOutcome outcome, Exception? error, CancellationToken itemToken)
    {
        Unwatch();
        switch (outcome)
        {
            case WorkOutcome.Completed:
                _source.SetResult(Result);
                break;
            case WorkOutcome.Failed or WorkOutcome.Cancelled when error is not null:
                _source.SetException(error);
                break;
            case WorkOutcome.Cancelled:
                // The caller is told of its own token, not of the item's.
                CancellationToken token = _options.CancellationToken.IsCancellationRequested ? _options.CancellationToken : itemToken;
                _source.SetException(new OperationCanceledException(token));
                break;
            case WorkOutcome.Abandoned:
                _source.SetException(new WorkAbandonedException(_core.Name));
                break;
            default:
                _source.SetException(new WorkNotRunException(_core.Name, outcome switch
                {
                    WorkOutcome.Expired => NotRunReason.Expired,
                    WorkOutcome.Shed => NotRunReason.Shed,
                    WorkOutcome.ClientGone => NotRunReason.ClientGone,
                    _ => NotRunReason.NotStarted,
                }));
                break;
        }
    }

    TResult IValueTaskSource<TResult>.GetResult(short token) => _source.GetResult(token);

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _source.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
