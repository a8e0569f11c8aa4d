namespace PoolApi.Telemetry;

/// <summary>Disposes of an object on a thread of its own, and waits for a limited time.</summary>
/// <remarks>
/// The disposal of a telemetry provider blocks until its collector answers, or for ten seconds. The stop has flushed and logged the result
/// before the disposal begins, so the process may end before the disposal does.
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
            // The process ends without the disposal, see the remarks.
        }
    }
}
