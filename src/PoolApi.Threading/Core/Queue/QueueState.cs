namespace PoolApi.Threading.Core.Queue;

/// <summary>Where a queue is in its life. Only forward.</summary>
internal enum QueueState
{
    Open,
    Closed,
    Stopping,
    Stopped,
}
