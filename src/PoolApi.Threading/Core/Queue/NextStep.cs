namespace PoolApi.Threading.Core.Queue;

/// <summary>What a worker does next.</summary>
internal enum NextStep
{
    Run,
    Spin,
    Sleep,

    /// <summary>It notifies callers or records measurements, and calls <c>Next</c> again.</summary>
    Again,

    Exit,
}
