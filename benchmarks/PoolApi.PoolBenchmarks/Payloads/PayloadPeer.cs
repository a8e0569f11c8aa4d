using PoolApi.PoolBenchmarks.Peers;

namespace PoolApi.PoolBenchmarks.Payloads;

/// <summary>Runs items with a payload, in the form that suits the peer best.</summary>
internal abstract class PayloadPeer : IDisposable
{
    private Action? _work; // set before the first item is posted, and published with it

    /// <summary>Makes the producer of one thread. The work is the same for every item, the payload is not.</summary>
    public IProducer CreateProducer(Action work)
    {
        _work = work;
        return NewProducer();
    }

    public abstract void Dispose();

    /// <summary>By default all producers post in the same way.</summary>
    protected virtual IProducer NewProducer() => new Producer(this);

    protected abstract void Post(int count);

    /// <summary>Called on the worker.</summary>
    protected void Run(in Payload payload)
    {
        payload.Check();
        _work!();
    }

    private sealed class Producer(PayloadPeer peer) : IProducer
    {
        public void Post(int count) => peer.Post(count);
    }
}
