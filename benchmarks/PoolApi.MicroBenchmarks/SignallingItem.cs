using PoolApi.Threading;

namespace PoolApi.MicroBenchmarks;

/// <summary>An item without work, whose end one thread waits for.</summary>
internal sealed class SignallingItem : PoolWorkItem
{
    private volatile bool _ended = true;

    /// <summary>Called before each submission.</summary>
    public void Reset() => _ended = false;

    /// <summary>Polls instead of blocking: a wake-up takes many times as long as what is measured.</summary>
    public void WaitUntilEnded()
    {
        var spin = default(SpinWait);
        while (!_ended) spin.SpinOnce(sleep1Threshold: -1);
    }

    protected override void Execute() { }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => _ended = true;
}
