namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>The peers that are measured.</summary>
internal static class PeerCatalogue
{
    /// <summary>This pool without the times of each item, which no peer measures.</summary>
    public static readonly PeerKind PoolApi = new(
        "PoolApi", true, static (workers, capacity) => new PoolApiPeer(workers, capacity, isTimed: false));

    /// <summary>This pool with the waiting time and the running time of each item.</summary>
    public static readonly PeerKind PoolApiTimed = new(
        "PoolApi, each item timed", true, static (workers, capacity) => new PoolApiPeer(workers, capacity, isTimed: true));

    public static readonly PeerKind TaskRun = new("Task.Run", false, static (_, _) => new TaskRunPeer());

    public static readonly PeerKind UnsafeQueue = new("UnsafeQueueUserWorkItem", false, static (_, _) => new UnsafeQueuePeer());

    public static readonly PeerKind BlockingCollection = new(
        "BlockingCollection, bounded", true, static (workers, capacity) => new BlockingCollectionPeer(workers, capacity));

    public static readonly PeerKind ChannelThreads = new(
        "Channel + threads, bounded", true, static (workers, capacity) => new ChannelThreadsPeer(workers, capacity));

    public static readonly PeerKind ChannelTasks = new(
        "Channel + tasks, bounded", true, static (workers, capacity) => new ChannelTasksPeer(workers, capacity));

    public static readonly PeerKind Akka = new("Akka ForkJoinDispatcher", false, static (workers, _) => new AkkaPeer(workers));

    public static readonly PeerKind MonitorQueue = new("Queue under a monitor", false, static (workers, _) => new MonitorQueuePeer(workers));

    public static readonly IReadOnlyList<PeerKind> Peers =
    [
        TaskRun,
        UnsafeQueue,
        new("BlockingCollection, unbounded", false, static (workers, _) => new BlockingCollectionPeer(workers, null)),
        BlockingCollection,
        ChannelThreads,
        new("Channel + tasks, unbounded", false, static (workers, _) => new ChannelTasksPeer(workers, null)),
        ChannelTasks,
        Akka,
        MonitorQueue,
    ];
}
