namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Counts the requests whose answers are not yet written, so that the stop can wait for them.</summary>
/// <remarks>
/// A request is counted before anything asks whether the app is closing. So once the stop has closed the app and then sees
/// none, none is left that found it open.
/// </remarks>
internal sealed class OpenRequests
{
    private long _count;
    private TaskCompletionSource? _none; // somebody waits for none

    public long Count => Volatile.Read(ref _count);

    public void Enter() => Interlocked.Increment(ref _count);

    public void Exit()
    {
        // A full fence; pairs with that in NoneAsync: either this sees who waits, or he sees the count.
        if (Interlocked.Decrement(ref _count) == 0) Volatile.Read(ref _none)?.TrySetResult();
    }

    /// <summary>Completes when there is a moment without any.</summary>
    public Task NoneAsync()
    {
        var none = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _none, none);
        if (Count == 0) none.TrySetResult();
        return none.Task;
    }
}
