namespace PoolApi.Threading.Core;

/// <summary>Notifies waiters that a worker has become idle. Without waiters it costs one read each time a worker goes to sleep.</summary>
/// <remarks>
/// No wake-up is lost between a caller that subscribes, counts the idle workers and waits, and a worker that goes to sleep. Both pass the
/// queue's gate: the caller after it subscribed (<see cref="FixedThreadPool.GetSnapshot"/>), the worker before it notifies. In either
/// order, the caller counts the worker as idle, or the worker sees the subscription.
/// </remarks>
internal sealed class IdleSignal
{
    private TaskCompletionSource? _next;

    /// <summary>Completes when a worker next becomes idle.</summary>
    public Task Next()
    {
        while (true)
        {
            if (Volatile.Read(ref _next) is { } asked) return asked.Task;
            // Asynchronously, because a worker must not run the caller's continuation.
            var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _next, mine, null) is null) return mine.Task;
        }
    }

    /// <summary>A worker has become idle, or has left. Called after the thread has passed the gate.</summary>
    public void Notify()
    {
        if (Volatile.Read(ref _next) is not null) Interlocked.Exchange(ref _next, null)?.TrySetResult();
    }
}
