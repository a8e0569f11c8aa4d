using System.Diagnostics;

namespace PoolApi.Threading.Core.Calls;

/// <summary>Synchronous work from a delegate, for which nobody waits.</summary>
internal sealed class PostedWork<TWork>(PoolCore core, TWork work, CancellationToken cancellationToken, in WorkOptions options) : PoolWorkItem
    where TWork : struct, IWork<Unit>
{
    private readonly CallLabels _labels = CallLabels.Of(cancellationToken, options);

    public override string Kind => _labels.Kind;

    public override string? Origin => _labels.Origin;

    public override ActivityTraceId TraceId => _labels.TraceId;

    protected override void Execute()
    {
        if (_labels.Flow is not { } flow) Invoke();
        else ExecutionContext.Run(flow, static self => ((PostedWork<TWork>)self!).Invoke(), this);
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        if (outcome == WorkOutcome.Failed) core.Listeners.Unhandled(this, exception!);
    }

    private void Invoke() => work.Invoke(new WorkToken(this));
}
