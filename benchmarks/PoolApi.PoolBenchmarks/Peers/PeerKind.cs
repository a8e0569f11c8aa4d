namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>A peer that can be made: a fresh one for each measurement, so that none runs beside another's idle threads.</summary>
/// <param name="Name">Its name in the tables.</param>
/// <param name="IsBounded">Whether its queue is; one without a bound never waits for room, until memory ends.</param>
/// <param name="Create">Makes it, of so many workers and, if it is bounded, this capacity.</param>
internal sealed record PeerKind(string Name, bool IsBounded, Func<int, int, IPeer> Create);
