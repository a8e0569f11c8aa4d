using PoolApi.Threading;

namespace PoolApi.MicroBenchmarks;

/// <summary>An item with nothing to do, whose end one thread waits for.</summary>
internal sealed class SignallingItem : PoolWorkItem
{
    private volatile bool _ended = true;

    /// <summary>Before each submission.</summary>
    public void Reset() => _ended = false;

    /// <summary>Looks instead of sleeping: being woken takes many times as long as what is measured.</summary>
    public void WaitUntilEnded()
    {
        var spin = default(SpinWait);
        while (!_ended) spin.SpinOnce(sleep1Threshold: -1);
    }

    protected override void Execute() { }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => _ended = true;
}
