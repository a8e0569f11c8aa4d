using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Akka.NET's ForkJoinDispatcher of an actor system without actors: dedicated threads on one unbounded queue.</summary>
internal sealed class AkkaDispatcher : IDisposable
{
    private readonly ActorSystem _system;
    private readonly MessageDispatcher _dispatcher;

    public AkkaDispatcher(int workers)
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

    public void Schedule(IRunnable item) => _dispatcher.Schedule(item);

    public void Dispose() => _system.Terminate().Wait();
}
