namespace PoolApi.Threading.Core.Queue;

/// <summary>The state of a queue's lifetime. It only moves forward.</summary>
internal enum QueueState
{
    Open,
    Closed,
    Stopping,
    Stopped,
}
