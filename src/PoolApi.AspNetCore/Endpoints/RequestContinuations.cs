using System.Collections.Concurrent;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Continues requests whose work has ended on the .NET ThreadPool, where their responses are written: a worker never
/// writes to a client's socket. One for each pool. Thread-safe.
/// </summary>
/// <remarks>
/// Many requests share one entry in the ThreadPool's queue. The thread that takes the entry queues it again before it continues a request,
/// if more requests wait, so a slow continuation does not hold up others.
/// <code>
///   Add: enqueue, then schedule      Execute: unschedule, then dequeue
/// </code>
/// Either Add sees that no entry is scheduled and schedules one, or the entry's thread sees the request. The queue may look empty while
/// another Add is in progress (dotnet/runtime#132736); that Add schedules an entry afterwards, whose thread sees both.
/// </remarks>
internal sealed class RequestContinuations : IThreadPoolWorkItem
{
    private readonly ConcurrentQueue<PoolRequest> _ended = new();
    private int _isScheduled;

    /// <summary>Adds a request to continue. Called on a worker, or on the thread that removed its work from the queue.</summary>
    public void Add(PoolRequest request)
    {
        _ended.Enqueue(request);
        Schedule();
    }

    void IThreadPoolWorkItem.Execute()
    {
        Interlocked.Exchange(ref _isScheduled, 0); // a full fence, before the look into the queue; pairs with Schedule
        if (!_ended.TryDequeue(out PoolRequest? request)) return;
        if (!_ended.IsEmpty) Schedule();
        request.Resume();
    }

    private void Schedule()
    {
        if (Interlocked.Exchange(ref _isScheduled, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
