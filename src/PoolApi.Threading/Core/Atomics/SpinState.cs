namespace PoolApi.Threading.Core.Atomics;

/// <summary>How long and how often a thread has looked during one wait. New for each wait.</summary>
internal struct SpinState
{
    internal long Since;
    internal int Yields;
}
