using System.Diagnostics;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The work item of a request with a synchronous handler. It has no state machine and no synchronization context, so
/// that a handler that blocks on asynchronous code does not wait for its own worker.
/// </summary>
internal sealed class SynchronousHandlerItem(PoolRequest request) : PoolWorkItem
{
    public override string Kind => request.Kind;

    public override string? Origin => request.Route;

    public override ActivityTraceId TraceId => request.TraceId;

    protected override void Execute() => request.Execute();

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => request.OnWorkEnded(outcome, exception);
}

/// <summary>The work item of a request with an asynchronous handler: code after an <c>await</c> returns to the pool.</summary>
internal sealed class AsynchronousHandlerItem(PoolRequest request) : AsyncPoolWorkItem
{
    public override string Kind => request.Kind;

    public override string? Origin => request.Route;

    public override ActivityTraceId TraceId => request.TraceId;

    protected override ValueTask ExecuteAsync() => request.ExecuteAsync();

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => request.OnWorkEnded(outcome, exception);
}
