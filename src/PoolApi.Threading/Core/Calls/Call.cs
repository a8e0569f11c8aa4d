using System.Diagnostics;

namespace PoolApi.Threading.Core.Calls;

/// <summary>
/// Synchronous work from a delegate, with a result for its caller. Reused: it returns to
/// <see cref="CallCache{T}"/> when its result has been taken, so calls allocate nothing in a steady state.
/// </summary>
internal sealed class Call<TWork, TResult> : PoolWorkItem, IConsumed
    where TWork : struct, IWork<TResult>
{
    private readonly ResultSource<TResult> _source;
    private PoolCore? _core;
    private TWork _work;
    private CallLabels _labels;
    private TResult? _result;

    public Call()
        : base(isTimed: false) => _source = new ResultSource<TResult>(this); // its times are not visible to the caller

    internal override bool IsOfPool => true;

    public override string Kind => _labels.Kind;

    public override string? Origin => _labels.Origin;

    public override ActivityTraceId TraceId => _labels.TraceId;

    public ResultSource<TResult> Source => _source;

    public static Call<TWork, TResult> Rent(PoolCore core, in TWork work, CancellationToken cancellationToken, in WorkOptions options)
    {
        Call<TWork, TResult> call = CallCache<Call<TWork, TResult>>.TryTake() ?? new Call<TWork, TResult>();
        call._core = core;
        call._work = work;
        call._labels = CallLabels.Of(cancellationToken, options);
        return call;
    }

    /// <summary>The result has been taken, or the call was refused. Nothing refers to the object any more, so it can be reused.</summary>
    public void Consumed()
    {
        // Not reused if it was abandoned or timed out: its delegate may still run and would affect the next call. Not reused while a pool
        // stops: the stop may be about to cancel or abandon the item that it has just seen on a worker.
        if (State is WorkItemState.Abandoned or WorkItemState.TimedOut || _core!.IsClosing) return;
        _work = default;
        _labels = default;
        _result = default;
        _core = null;
        Forget();
        CallCache<Call<TWork, TResult>>.Give(this);
    }

    protected override void Execute()
    {
        if (_labels.Flow is not { } flow || ReferenceEquals(flow, ExecutionContext.Capture())) Invoke();
        else ExecutionContext.Run(flow, static self => ((Call<TWork, TResult>)self!).Invoke(), this);
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        // Each of these calls is the last access to this object here, because the caller may take the result at once.
        if (outcome == WorkOutcome.Completed) _source.SetResult(_result!);
        else _source.SetException(_labels.ToException(_core!, outcome, exception, outcome == WorkOutcome.Cancelled ? CancellationToken : default));
    }

    private void Invoke() => _result = _work.Invoke(new WorkToken(this));
}

/// <summary>Asynchronous work from a delegate, with a result for its caller.</summary>
internal sealed class AsyncCall<TWork, TResult>(PoolCore core, TWork work, CancellationToken cancellationToken, in WorkOptions options) : AsyncPoolWorkItem, IConsumed
    where TWork : struct, IWork<ValueTask<TResult>>
{
    private readonly CallLabels _labels = CallLabels.Of(cancellationToken, options);
    private ResultSource<TResult>? _source;
    private TResult? _result;

    internal override bool IsOfPool => true;

    public override string Kind => _labels.Kind;

    public override string? Origin => _labels.Origin;

    public override ActivityTraceId TraceId => _labels.TraceId;

    public ResultSource<TResult> Source => _source ??= new ResultSource<TResult>(this);

    public void Consumed()
    {
    }

    protected override async ValueTask ExecuteAsync()
    {
        // Restored inside this method's own flow, so that every continuation captures it.
        if (_labels.Flow is not null) ExecutionContext.Restore(_labels.Flow);
        _result = await work.Invoke(new WorkToken(this));
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        if (outcome == WorkOutcome.Completed) Source.SetResult(_result!);
        else Source.SetException(_labels.ToException(core, outcome, exception, outcome == WorkOutcome.Cancelled ? CancellationToken : default));
    }
}
