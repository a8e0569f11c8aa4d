
namespace PoolApi.Threading.Tests;

/// <summary>What no item can do by throwing: it brings down the loop that runs it, after what it does before.</summary>
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
