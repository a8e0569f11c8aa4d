namespace PoolApi.Threading.Core.Atomics;

/// <summary>The start of a thread's spinning during one wait, and the number of its yields. New for each wait.</summary>
internal struct SpinState
{
    internal long Since;
    internal int Yields;
}
