using System.Diagnostics;

namespace PoolApi.Threading.Core;

/// <summary>The labels of a call, its execution context and its caller's token. Makes the exception that the caller gets.</summary>
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

    /// <summary>The execution context in which the work runs; <see langword="null"/> if the caller suppressed the flow.</summary>
    public ExecutionContext? Flow { get; }

    public static CallLabels Of(CancellationToken cancellationToken, in WorkOptions options) => new(cancellationToken, options);

    /// <summary>The exception that the caller gets for an end without a result.</summary>
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
    /// The exception names the caller's own token, so that the caller knows that it has cancelled the work itself. The work's exception names the
    /// item's token, or one that the work derived from it.
    /// </summary>
    public static OperationCanceledException ForCaller(OperationCanceledException error, CancellationToken caller) =>
        caller.IsCancellationRequested && error.CancellationToken != caller
            ? new OperationCanceledException(error.Message, error, caller)
            : error;
}
