using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>An item that its producer posts again once it has ended. It runs the same delegate as the peers do.</summary>
internal sealed class ReusedItem : PoolWorkItem
{
    private readonly Action _work;
    private volatile bool _isFree = true;

    public ReusedItem(Action work, bool isTimed)
        : base(isTimed) => _work = work;

    /// <summary>The item that was posted after this one, in the ring of the producer's items.</summary>
    public ReusedItem? NextInRing { get; set; }

    public bool IsFree => _isFree;

    public void Take() => _isFree = false;

    protected override void Execute() => _work();

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => _isFree = true;
}
