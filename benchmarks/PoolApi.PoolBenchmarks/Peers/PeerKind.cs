namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>Makes peers of one kind, a new one for each measurement, so that no idle threads of another peer exist.</summary>
/// <param name="Name">Its name in the tables.</param>
/// <param name="IsBounded">Whether its queue is bounded. Producers of an unbounded one never wait for space.</param>
/// <param name="Create">Makes a peer with the given number of workers and, if it is bounded, the given capacity.</param>
internal sealed record PeerKind(string Name, bool IsBounded, Func<int, int, IPeer> Create);
