using System.Diagnostics;

namespace PoolApi.Threading.Core.Calls;

/// <summary>What a caller said about a call, and the context it flows from.</summary>
internal readonly struct CallLabels
{
    private CallLabels(CancellationToken cancellationToken, in WorkOptions options)
    {
        Kind = options.Kind ?? "work";
        Origin = options.Origin;
        CancellationToken = cancellationToken;
        TraceId = Activity.Current?.TraceId ?? default;
        Flow = ExecutionContext.Capture();
    }

    public string Kind { get; }

    public string? Origin { get; }

    public ActivityTraceId TraceId { get; }

    public CancellationToken CancellationToken { get; }

    /// <summary>The context in which the work runs; <see langword="null"/>: the caller suppressed the flow, and the worker's own is empty.</summary>
    public ExecutionContext? Flow { get; }

    public static CallLabels Of(CancellationToken cancellationToken, in WorkOptions options) => new(cancellationToken, options);

    /// <summary>The exception by which the caller is told of an end that is no result.</summary>
    public Exception ToException(PoolCore core, WorkOutcome outcome, Exception? error, CancellationToken itemToken) => outcome switch
    {
        WorkOutcome.Cancelled when error is OperationCanceledException ended => ForCaller(ended, CancellationToken),
        WorkOutcome.Failed or WorkOutcome.TimedOut when error is not null => error,
        WorkOutcome.Cancelled => new OperationCanceledException(
            CancellationToken.IsCancellationRequested ? CancellationToken : itemToken),
        WorkOutcome.Abandoned => new WorkAbandonedException(core.Name),
        _ => new WorkRejectedException(core.Name, outcome),
    };

    /// <summary>
    /// The caller is told of its own token, by which it knows that it has cancelled the work itself. What the work threw names the
    /// item's token, or one that the work made of it.
    /// </summary>
    public static OperationCanceledException ForCaller(OperationCanceledException error, CancellationToken caller) =>
        caller.IsCancellationRequested && error.CancellationToken != caller
            ? new OperationCanceledException(error.Message, error, caller)
            : error;
}
