using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// An answer that takes its time after the handler has ended. It is in flight for the stop; a stream's token is cancelled when the stop
/// has missed its deadline. Of the request's own flow.
/// </summary>
/// <remarks>
/// An answer of many bytes is not cancelled: it ends as its client reads, at a minimum pace, and the server's own stop cuts it off.
/// </remarks>
internal sealed class LongAnswer : IThreadPoolWorkItem
{
    private readonly ShutdownCoordinator _shutdown;
    private readonly Action _cancel;
    private readonly CancellationTokenRegistration _overdue;

    /// <param name="shutdown">The stop.</param>
    /// <param name="isStream">Whether the app writes it, piece by piece.</param>
    /// <param name="cancel">Cancels the stream's token.</param>
    public LongAnswer(ShutdownCoordinator shutdown, bool isStream, Action cancel)
    {
        (_shutdown, _cancel, IsStream) = (shutdown, cancel, isStream);
        shutdown.Answers.Begin();
        // Each on a thread of its own: code of the app runs in it, and one that blocks must hold up neither the stop nor the others.
        if (isStream) _overdue = shutdown.Overdue.UnsafeRegister(static answer => ThreadPool.UnsafeQueueUserWorkItem((LongAnswer)answer!, preferLocal: false), this);
    }

    public bool IsStream { get; }

    /// <summary>Whether the stop has missed its deadline.</summary>
    public bool IsOverdue => _shutdown.Overdue.IsCancellationRequested;

    void IThreadPoolWorkItem.Execute() => _cancel();

    /// <summary>It is written, or cut off. Once.</summary>
    public void End()
    {
        _overdue.Unregister();
        _shutdown.Answers.End();
    }
}
