namespace PoolApi.Threading.Core.Queue;

/// <summary>What a worker is to do next.</summary>
internal enum NextStep
{
    Run,
    Look,
    Sleep,
    Exit,
}
