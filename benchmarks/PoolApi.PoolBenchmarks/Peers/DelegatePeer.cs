namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>A peer that takes a delegate for each item.</summary>
internal abstract class DelegatePeer : IPeer
{
    public IProducer CreateProducer(Action work) => new Producer(this, work);

    /// <summary>Uses a <see cref="TaskCompletionSource{TResult}"/>, since the peer has nothing of its own for this.</summary>
    public virtual int Call(Func<int> work)
    {
        var result = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() => result.SetResult(work()), 1);
        return result.Task.GetAwaiter().GetResult();
    }

    public abstract void Dispose();

    protected abstract void Post(Action work, int count);

    private sealed class Producer(DelegatePeer peer, Action work) : IProducer
    {
        public void Post(int count) => peer.Post(work, count);
    }
}
