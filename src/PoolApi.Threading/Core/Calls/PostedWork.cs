using System.Diagnostics;

namespace PoolApi.Threading.Core.Calls;

/// <summary>Synchronous work from a delegate, whose result no caller waits for.</summary>
internal sealed class PostedWork(PoolCore core, Action work, CancellationToken cancellationToken, in WorkOptions options) : PoolWorkItem
{
    private readonly CallLabels _labels = CallLabels.Of(cancellationToken, options);

    internal override bool IsOfPool => true;

    public override string Kind => _labels.Kind;

    public override string? Origin => _labels.Origin;

    public override ActivityTraceId TraceId => _labels.TraceId;

    protected override void Execute()
    {
        if (_labels.Flow is not { } flow) work();
        else ExecutionContext.Run(flow, static work => ((Action)work!)(), work);
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        if (outcome == WorkOutcome.Failed) core.Observers.Unhandled(this, exception!);
    }
}
