using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>The work of each request.</summary>
/// <param name="Request">The work.</param>
/// <param name="Trifle">A very small amount of it. Many of these warm a server up in a short time.</param>
/// <param name="Takes">The least time of each request.</param>
/// <param name="Workers">The number of workers.</param>
internal sealed record Workload(Func<Routes, Target> Request, Func<Routes, Target> Trifle, TimeSpan Takes, int Workers)
{
    /// <summary>Sleeps of 100 ms on 20 workers: 200 per second, on any processor.</summary>
    public static readonly Workload Sleep = new(r => r.Sleep(100), r => r.Sleep(1), TimeSpan.FromMilliseconds(100), 20);

    /// <summary>PBKDF2-HMAC-SHA256 on 2 workers. The amount of work is fixed, not its time: on a shared processor it takes longer.</summary>
    public static readonly Workload Hash = new(r => r.Hash(25_000), r => r.Hash(100), TimeSpan.Zero, 2);
}
