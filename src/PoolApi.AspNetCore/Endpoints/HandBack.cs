using System.Collections.Concurrent;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Brings requests whose work has ended from the workers back to the .NET ThreadPool, where their answers are written: a worker never
/// writes to a client's socket. One for a pool.
/// </summary>
/// <remarks>
/// Many requests share one entry in the ThreadPool's queue. Whoever takes the entry queues it again before it goes on with a request,
/// if more wait: so one slow continuation holds up no other.
/// <code>
///   Add: enqueue, then schedule      Execute: unschedule, then dequeue
/// </code>
/// Either Add sees that no entry is scheduled and schedules one, or the entry's thread sees the request. The queue may look empty while
/// another Add is inside of it (dotnet/runtime#132736); that Add schedules an entry afterwards, whose thread sees both.
/// </remarks>
internal sealed class HandBack : IThreadPoolWorkItem
{
    private readonly ConcurrentQueue<PoolRequest> _ended = new();
    private int _isScheduled;

    /// <summary>The request goes on. On a worker, or on the thread that took its work out of the queue.</summary>
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
        request.GoOn();
    }

    private void Schedule()
    {
        if (Interlocked.Exchange(ref _isScheduled, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
