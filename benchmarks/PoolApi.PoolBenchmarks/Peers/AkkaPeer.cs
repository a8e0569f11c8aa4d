using Akka.Dispatch;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Delegates on an <see cref="AkkaDispatcher"/>.</summary>
internal sealed class AkkaPeer(int workers) : DelegatePeer
{
    private readonly AkkaDispatcher _dispatcher = new(workers);

    public override void Dispose() => _dispatcher.Dispose();

    protected override void Post(Action work, int count)
    {
        // The dispatcher wraps a delegate in a runnable; one for all the items spares it an allocation for each.
        IRunnable runnable = new ActionRunnable(work);
        for (int i = 0; i < count; i++) _dispatcher.Schedule(runnable);
    }
}
