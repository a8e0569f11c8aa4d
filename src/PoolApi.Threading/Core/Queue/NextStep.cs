namespace PoolApi.Threading.Core.Queue;

/// <summary>What a worker does next.</summary>
internal enum NextStep
{
    Run,
    Spin,
    Sleep,

    /// <summary>It asks again, when it has run code of callers that it owes.</summary>
    Again,

    Exit,
}
