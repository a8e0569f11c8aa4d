namespace PoolApi.Threading.Core;

/// <summary>Tells those who asked that a worker has run out of work. Nobody asked: one read each time a worker goes to sleep.</summary>
/// <remarks>
/// No wake-up is lost between a caller that asks, counts the idle workers, and waits, and a worker that goes to sleep. Both pass the
/// queue's gate: the caller after it asked (<see cref="FixedThreadPool.GetSnapshot"/>), the worker before it tells. Whichever passes
/// first, the caller counts the worker as idle, or the worker sees that the caller asked.
/// </remarks>
internal sealed class IdleSignal
{
    private TaskCompletionSource? _next;

    /// <summary>Completes when a worker next runs out of work.</summary>
    public Task Next()
    {
        while (true)
        {
            if (Volatile.Read(ref _next) is { } asked) return asked.Task;
            // Asynchronously: a worker must not run what its caller does next.
            var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _next, mine, null) is null) return mine.Task;
        }
    }

    /// <summary>A worker has nothing to do. Called on it, after it passed the gate.</summary>
    public void Tell()
    {
        if (Volatile.Read(ref _next) is not null) Interlocked.Exchange(ref _next, null)?.TrySetResult();
    }
}
