using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Workers;

/// <summary>Produces the view of all workers as server-sent events: one at once, then one each second while the client is connected.</summary>
/// <remarks>
/// When the stop begins, the stream ends with the event <c>shutdown</c>, so that it delays neither the stop nor the client. A client that
/// connects during the stop gets one view and that event.
/// </remarks>
internal static class WorkersStream
{
    private const string ViewEvent = "workers";
    private const string LastEvent = "shutdown";
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    public static async IAsyncEnumerable<SseItem<string>> ReadAsync(
        ShutdownCoordinator shutdown, PoolContexts pools, TimeProvider clock, [EnumeratorCancellation] CancellationToken client)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(client, shutdown.Stopping);
        using var timer = new PeriodicTimer(Period, clock);
        bool isOpen = true;
        while (isOpen)
        {
            yield return View(shutdown, pools, ViewEvent);
            try
            {
                isOpen = await timer.WaitForNextTickAsync(end.Token);
            }
            catch (OperationCanceledException)
            {
                isOpen = false;
            }
        }
        if (!client.IsCancellationRequested) yield return View(shutdown, pools, LastEvent);
    }

    private static SseItem<string> View(ShutdownCoordinator shutdown, PoolContexts pools, string type) =>
        new(JsonSerializer.Serialize(WorkersView.Of(shutdown, pools), WorkersJson.Readable.WorkersView), type);
}
