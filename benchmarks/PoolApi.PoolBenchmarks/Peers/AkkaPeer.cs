using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Akka.NET's ForkJoinDispatcher: dedicated threads on one unbounded queue.</summary>
internal sealed class AkkaPeer : DelegatePeer
{
    private readonly ActorSystem _system;
    private readonly MessageDispatcher _dispatcher;

    public AkkaPeer(int workers)
    {
        Config config = ConfigurationFactory.ParseString(
            $$"""
            akka.loglevel = OFF
            akka.stdout-loglevel = OFF
            bench {
              type = ForkJoinDispatcher
              throughput = 1
              dedicated-thread-pool { thread-count = {{workers}} }
            }
            """);
        _system = ActorSystem.Create("bench", config);
        _dispatcher = _system.Dispatchers.Lookup("bench");
    }

    public override void Dispose() => _system.Terminate().Wait();

    protected override void Post(Action work, int count)
    {
        // The dispatcher wraps a delegate in a runnable; one for all the items spares it an allocation for each.
        IRunnable runnable = new ActionRunnable(work);
        for (int i = 0; i < count; i++) _dispatcher.Schedule(runnable);
    }
}
