using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// A response that is written for long after the handler has ended. It counts as in flight for the stop. A stream's token is cancelled when the stop
/// has missed its deadline. Used by the request's own flow only.
/// </summary>
/// <remarks>
/// A response of many bytes is not cancelled: its client reads it at a minimum rate, and the server's own stop aborts it.
/// </remarks>
internal sealed class LongResponse : IThreadPoolWorkItem
{
    private readonly ShutdownCoordinator _shutdown;
    private readonly Action _cancel;
    private readonly CancellationTokenRegistration _overdue;

    /// <param name="shutdown">The stop.</param>
    /// <param name="isStream">Whether the app writes it piece by piece.</param>
    /// <param name="cancel">Cancels the stream's token.</param>
    public LongResponse(ShutdownCoordinator shutdown, bool isStream, Action cancel)
    {
        (_shutdown, _cancel, IsStream) = (shutdown, cancel, isStream);
        shutdown.Responses.Begin();
        // Each cancellation is queued to the .NET ThreadPool by itself, because it runs code of the app, which may block. It must hold up neither
        // the stop nor the cancellation of other responses.
        if (isStream) _overdue = shutdown.Overdue.UnsafeRegister(static state => ThreadPool.UnsafeQueueUserWorkItem((LongResponse)state!, preferLocal: false), this);
    }

    public bool IsStream { get; }

    /// <summary>Whether the stop has missed its deadline.</summary>
    public bool IsOverdue => _shutdown.Overdue.IsCancellationRequested;

    void IThreadPoolWorkItem.Execute() => _cancel();

    /// <summary>The response is written or cut off. Called once.</summary>
    public void End()
    {
        _overdue.Unregister();
        _shutdown.Responses.End();
    }
}
