
namespace PoolApi.Threading.Tests.Support;

/// <summary>Runs an action, and then ends the worker: it throws in the worker's loop, which an exception of an item's code cannot do.</summary>
internal sealed class DeadlyItem(Action? before = null) : PoolWorkItem
{
    public Endings Endings { get; } = new();

    protected override void Execute()
    {
    }

    protected override void OnEnded(WorkOutcome outcome, Exception? exception) => Endings.Add(outcome, exception);

    internal override void Start(PoolCore core, Worker worker)
    {
        before?.Invoke();
        throw new InvalidOperationException("on purpose");
    }
}
