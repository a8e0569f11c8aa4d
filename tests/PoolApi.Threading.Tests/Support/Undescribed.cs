namespace PoolApi.Threading.Tests.Support;

/// <summary>A synchronous item whose labels cannot be read.</summary>
internal sealed class Undescribed(Action body) : PoolWorkItem
{
    public override string Kind => throw new NotSupportedException("on purpose");

    protected override void Execute() => body();
}
