namespace PoolApi.Telemetry;

/// <summary>Disposes of an object on a thread of its own, and waits for a limited time.</summary>
/// <remarks>
/// The disposal of a telemetry provider blocks until its collector answers, for ten seconds if it does not. By then the stop has flushed and
/// logged the result, so the process may end without it.
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
