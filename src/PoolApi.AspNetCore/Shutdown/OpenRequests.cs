namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Counts the requests whose responses are not yet written, so that the stop can wait for them.</summary>
/// <remarks>
/// <para>Invariant: a request is counted before it reads whether the app is closed. So when the stop has closed the app and then reads a
/// count of 0, every request that found the app open has ended.</para>
/// <para>Requests that come after the close are counted in another epoch (<see cref="StartNewEpoch"/>). They are refused or do not use the
/// pools, and the stop does not wait for them: new ones may come as long as the server listens.</para>
/// </remarks>
internal sealed class OpenRequests
{
    private readonly Epoch _afterClose = new(); // made now, because there may be no memory when a stop begins
    private Epoch _current = new();

    /// <summary>Counts a request.</summary>
    /// <returns>The request's epoch. The caller calls its Exit when the response is written.</returns>
    public Epoch Enter()
    {
        Epoch epoch = Volatile.Read(ref _current);
        epoch.Enter();
        return epoch;
    }

    /// <summary>Begins the epoch after the close, once. The app is already closed.</summary>
    /// <returns>The epoch before. A request that still enters it after this finds the app closed.</returns>
    public Epoch StartNewEpoch() => Interlocked.Exchange(ref _current, _afterClose);

    /// <summary>The count of the requests that came before, or after, the app was closed.</summary>
    internal sealed class Epoch
    {
        private long _count;
        private TaskCompletionSource? _none; // set when the stop waits for a count of 0

        public void Enter() => Interlocked.Increment(ref _count);

        public void Exit()
        {
            // A full fence; pairs with the exchange in NoneAsync: either this thread sees _none, or NoneAsync sees the count.
            if (Interlocked.Decrement(ref _count) == 0) Volatile.Read(ref _none)?.TrySetResult();
        }

        /// <summary>Completes when the count is 0, also if it rises again afterwards.</summary>
        public Task NoneAsync()
        {
            var none = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Interlocked.Exchange(ref _none, none);
            if (Volatile.Read(ref _count) == 0) none.TrySetResult();
            return none.Task;
        }
    }
}
