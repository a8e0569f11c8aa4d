namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>One thread's way of posting work; not safe for several threads.</summary>
internal interface IProducer
{
    /// <summary>
    /// Posts the work so many times, and blocks while the peer is bounded and full. The loop is the peer's own: one loop for
    /// all would be compiled for whichever peer ran first.
    /// </summary>
    void Post(int count);
}
