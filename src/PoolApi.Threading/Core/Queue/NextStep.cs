namespace PoolApi.Threading.Core.Queue;

/// <summary>What a worker does next.</summary>
internal enum NextStep
{
    Run,
    Spin,
    Sleep,
    Exit,
}
