using System.Collections.Concurrent;

namespace PoolApi.Threading.Tests.Support;

/// <summary>Records every notification of an item's end.</summary>
internal sealed class Endings
{
    private readonly ConcurrentQueue<(WorkOutcome Outcome, Exception? Error)> _all = new();
    private readonly TaskCompletionSource<WorkOutcome> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Count => _all.Count;

    public Exception? Error => _all.First().Error;

    public IEnumerable<WorkOutcome> Outcomes => _all.Select(e => e.Outcome);

    /// <summary>Completes with the outcome of the first ending.</summary>
    public Task<WorkOutcome> First => _first.Task.WaitAsync(Patience.Long);

    public void Add(WorkOutcome outcome, Exception? error)
    {
        _all.Enqueue((outcome, error));
        _first.TrySetResult(outcome);
    }
}

/// <summary>A synchronous item that records its endings.</summary>
internal sealed class TestItem(Action<TestItem>? body = null) : PoolWorkItem
{
    private int _runs;

    public Endings Endings { get; } = new();

    public int Runs => _runs;

    public Action<TestItem, WorkOutcome>? WhenEnded { get; init; }

    public string KindIs { get; init; } = "test";

    public string? OriginIs { get; init; }

    public System.Diagnostics.ActivityTraceId TraceIs { get; init; }

    public override string Kind => KindIs;

    public override string? Origin => OriginIs;

    public override System.Diagnostics.ActivityTraceId TraceId => TraceIs;

    protected override void Execute()
    {
        Interlocked.Increment(ref _runs);
        body?.Invoke(this);
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        Endings.Add(outcome, exception);
        WhenEnded?.Invoke(this, outcome);
    }
}

/// <summary>An asynchronous item that records its endings.</summary>
internal sealed class AsyncTestItem(Func<AsyncTestItem, Task> body) : AsyncPoolWorkItem
{
    public Endings Endings { get; } = new();

    public Action<AsyncTestItem, WorkOutcome>? WhenEnded { get; init; }

    public override string Kind => "async";

    protected override async ValueTask ExecuteAsync() => await body(this);

    protected override void OnEnded(WorkOutcome outcome, Exception? exception)
    {
        Endings.Add(outcome, exception);
        WhenEnded?.Invoke(this, outcome);
    }
}
