namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Counts the requests whose answers are not yet written, so that the stop can wait for them.</summary>
/// <remarks>
/// <para>A request is counted before anything asks whether the app is closing. So once the stop has closed the app and then
/// sees none, none is left that found it open.</para>
/// <para>Those that come after that are counted apart (<see cref="StartNewEpoch"/>): they are refused or have nothing to do with the
/// pools, and as long as the server listens there may always be some.</para>
/// </remarks>
internal sealed class OpenRequests
{
    private Epoch _current = new();

    /// <summary>A request has come.</summary>
    /// <returns>To be told when its answer is written.</returns>
    public Epoch Enter()
    {
        Epoch epoch = Volatile.Read(ref _current);
        epoch.Enter();
        return epoch;
    }

    /// <summary>From here on requests are counted apart. The app is closed already.</summary>
    /// <returns>Those that came before; one that is counted only now finds the app closed.</returns>
    public Epoch StartNewEpoch() => Interlocked.Exchange(ref _current, new Epoch());

    /// <summary>Requests that came in the same time.</summary>
    internal sealed class Epoch
    {
        private long _count;
        private TaskCompletionSource? _none; // somebody waits for none

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
            if (Volatile.Read(ref _count) == 0) none.TrySetResult();
            return none.Task;
        }
    }
}
