namespace PoolApi.Telemetry;

/// <summary>Disposes of something on a thread of its own, and does not wait for ever.</summary>
/// <remarks>
/// What a telemetry provider does when it is disposed of blocks until its collector answers, ten seconds if there is silence.
/// By then the stop has flushed what there was and said so; the process may end without it.
/// </remarks>
internal sealed class BoundedDisposal(IAsyncDisposable what, TimeSpan time) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        Task disposal = OwnThread.Run("disposal", () => what.DisposeAsync().AsTask().GetAwaiter().GetResult());
        try
        {
            await disposal.WaitAsync(time);
        }
        catch (TimeoutException)
        {
            // Said above.
        }
    }
}
