namespace PoolApi.Threading.Core.Atomics;

/// <summary>How long and how often somebody has looked for what he waits for; made anew for each wait.</summary>
internal struct SpinState
{
    internal long Since;
    internal int Yields;
}
