namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>A peer that is given a delegate for each item.</summary>
internal abstract class DelegatePeer : IPeer
{
    public IProducer CreateProducer(Action work) => new Producer(this, work);

    /// <summary>By a <see cref="TaskCompletionSource{TResult}"/>, for want of anything of its own.</summary>
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
