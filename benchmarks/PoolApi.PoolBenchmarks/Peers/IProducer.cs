namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>One thread's way of posting work; not safe for several threads.</summary>
internal interface IProducer
{
    /// <summary>
    /// Posts the work the given number of times, and blocks while the peer is bounded and full. Each peer has its own loop: the
    /// compiler would optimize a common loop for the peer that runs first.
    /// </summary>
    void Post(int count);
}
