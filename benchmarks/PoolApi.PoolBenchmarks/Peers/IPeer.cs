namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Something that runs work on other threads: this pool, or what one would use instead of it.</summary>
internal interface IPeer : IDisposable
{
    /// <summary>Makes what one producing thread posts with. The work is the same object for every item.</summary>
    IProducer CreateProducer(Action work);

    /// <summary>Runs a function elsewhere and blocks until its result is there, in the way that is natural for the peer.</summary>
    int Call(Func<int> work);
}
