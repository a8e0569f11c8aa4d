using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Workers;

/// <summary>The view of every worker as server-sent events: one at once, then one a second for as long as somebody reads.</summary>
/// <remarks>
/// When the app begins to stop, the stream ends with a last event, <c>shutdown</c>, so that it holds up neither the stop nor
/// its client. Who connects again meanwhile gets one view and that last event.
/// </remarks>
internal static class WorkersStream
{
    private const string ViewEvent = "workers";
    private const string LastEvent = "shutdown";
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    public static async IAsyncEnumerable<SseItem<string>> ReadAsync(
        ShutdownCoordinator shutdown, PoolContexts pools, TimeProvider clock, [EnumeratorCancellation] CancellationToken client)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(client, shutdown.Leaving);
        using var timer = new PeriodicTimer(Period, clock);
        bool goesOn = true;
        while (goesOn)
        {
            yield return View(shutdown, pools, ViewEvent);
            try
            {
                goesOn = await timer.WaitForNextTickAsync(end.Token);
            }
            catch (OperationCanceledException)
            {
                goesOn = false;
            }
        }
        if (!client.IsCancellationRequested) yield return View(shutdown, pools, LastEvent);
    }

    private static SseItem<string> View(ShutdownCoordinator shutdown, PoolContexts pools, string type) =>
        new(JsonSerializer.Serialize(WorkersView.Of(shutdown, pools), WorkersJson.Default.WorkersView), type);
}
