using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>What each request asks for.</summary>
/// <param name="Request">The work.</param>
/// <param name="Trifle">Next to nothing of it, many of which warm a server up in a short time.</param>
/// <param name="Takes">What each takes at least.</param>
/// <param name="Workers">How many workers do it.</param>
internal sealed record Workload(Func<Routes, Target> Request, Func<Routes, Target> Trifle, TimeSpan Takes, int Workers)
{
    /// <summary>Sleeps of 100 ms on 20 workers: 200 each second, whatever the processors.</summary>
    public static readonly Workload Sleep = new(r => r.Sleep(100), r => r.Sleep(1), TimeSpan.FromMilliseconds(100), 20);

    /// <summary>PBKDF2-HMAC-SHA256 on 2 workers. By amount, not by the clock: whoever shares a processor needs longer.</summary>
    public static readonly Workload Hash = new(r => r.Hash(25_000), r => r.Hash(100), TimeSpan.Zero, 2);
}
