using System.Collections.Concurrent;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// Continues requests whose work has ended on the .NET ThreadPool, so that workers do not write their responses. One for each
/// pool. Thread-safe.
/// </summary>
/// <remarks>
/// Many requests share one entry in the ThreadPool's queue. The thread that takes the entry queues it again before it continues a request,
/// if more requests wait, so a slow continuation does not hold up others.
/// <code>
///   Add: enqueue, then schedule      Execute: unschedule, then dequeue
/// </code>
/// Either Add sees that no entry is scheduled and schedules one, or the entry's thread sees the request. The queue may look empty while
/// another Add is in progress (dotnet/runtime#132736); that Add schedules an entry afterwards, whose thread sees both.
/// <para>The ThreadPool may find no memory or no thread for an entry. Then the thread that wanted to queue it continues the requests itself. Only in
/// that case may a worker write such a response.</para>
/// </remarks>
internal class RequestContinuations : IThreadPoolWorkItem
{
    private readonly ConcurrentQueue<PoolRequest> _ended = new();
    private int _isScheduled;

    /// <summary>Adds a request to continue. Called on a worker, or on the thread that removed its work from the queue.</summary>
    public void Add(PoolRequest request)
    {
        try
        {
            _ended.Enqueue(request);
        }
        catch (OutOfMemoryException)
        {
            OffThePool(static request => ((PoolRequest)request).Resume(), request); // the queue has no room for it
            return;
        }
        if (!TrySchedule()) OffThePool(static all => ((RequestContinuations)all).Continue(), this);
    }

    /// <summary>Calls code on this thread without the synchronization context of the work that has ended, so that the rest of a request does not return to the pool.</summary>
    private static void OffThePool(Action<object> code, object state)
    {
        SynchronizationContext? own = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            code(state);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(own);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        Interlocked.Exchange(ref _isScheduled, 0); // a full fence, before the look into the queue; pairs with TrySchedule
        Continue();
    }

    /// <summary>Queues an entry in the ThreadPool.</summary>
    protected virtual void Queue() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    /// <summary>Continues one request, and the next ones too if they get no entry.</summary>
    private void Continue()
    {
        bool isLast = false;
        while (!isLast && _ended.TryDequeue(out PoolRequest? request))
        {
            isLast = _ended.IsEmpty || TrySchedule();
            request.Resume();
        }
    }

    /// <returns>Whether an entry is queued, whose thread sees the requests that were added before this call.</returns>
    private bool TrySchedule()
    {
        if (Interlocked.Exchange(ref _isScheduled, 1) != 0) return true;
        try
        {
            Queue();
            return true;
        }
        catch (OutOfMemoryException)
        {
            // A full fence, before the caller's look into the queue. The entry may be queued anyway: two do no harm.
            Interlocked.Exchange(ref _isScheduled, 0);
            return false;
        }
    }
}
