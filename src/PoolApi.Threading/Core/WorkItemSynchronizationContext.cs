using System.Reflection;

namespace PoolApi.Threading.Core;

/// <summary>Brings continuations after an <see langword="await"/> inside an item back to the item's pool.</summary>
internal sealed class WorkItemSynchronizationContext(PoolCore core, PoolWorkItem item) : SynchronizationContext
{
    public PoolCore Core => core;

    public override void Post(SendOrPostCallback d, object? state) => core.Async.Post(item, d, state);

    /// <summary>On a worker of the same pool the callback runs in place: waiting for another worker could deadlock.</summary>
    public override void Send(SendOrPostCallback d, object? state)
    {
        if (Worker.Current?.Core == core)
        {
            d(state);
            return;
        }

        var sent = new SentCallback(d, state);
        if (!core.Async.Post(item, static sent => ((SentCallback)sent!).Run(), sent)) throw NobodyLeft();
        // A stop that gives up drops queued continuations, including this callback. So does a pool that has lost its last worker.
        Task.WaitAny(sent.Ended, core.Stop.GivenUp, core.Stop.Finished);
        if (sent.TryTake()) throw NobodyLeft();
        if (Task.WaitAny(sent.Ended, core.Stop.Finished) != 0)
            throw new InvalidOperationException($"The pool '{core.Name}' has stopped and left the callback behind, which still runs.");
        if (sent.Ended.Exception?.InnerException is { } error) throw new TargetInvocationException(error);
    }

    public override SynchronizationContext CreateCopy() => this;

    private InvalidOperationException NobodyLeft() => new($"The pool '{core.Name}' has stopped, so no worker runs the callback.");

    /// <summary>A callback whose sender waits. One compare-and-swap decides between the worker that runs it and the sender that gives up.</summary>
    private sealed class SentCallback(SendOrPostCallback callback, object? state)
    {
        private readonly TaskCompletionSource _ended = new();
        private int _isTaken;

        public Task Ended => _ended.Task;

        public void Run()
        {
            if (!TryTake()) return;
            try
            {
                callback(state);
                _ended.SetResult();
            }
            catch (Exception e)
            {
                _ended.SetException(e);
            }
        }

        /// <summary>Takes the callback, to run it or to drop it.</summary>
        /// <returns><see langword="false"/> if it was taken before.</returns>
        public bool TryTake() => Interlocked.CompareExchange(ref _isTaken, 1, 0) == 0;
    }
}
