namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Runs work on other threads: this pool, or an alternative to it.</summary>
internal interface IPeer : IDisposable
{
    /// <summary>Makes the producer of one thread. The work is the same object for every item.</summary>
    IProducer CreateProducer(Action work);

    /// <summary>Runs a function on another thread and blocks until it has the result, in the usual way of the peer.</summary>
    int Call(Func<int> work);
}
