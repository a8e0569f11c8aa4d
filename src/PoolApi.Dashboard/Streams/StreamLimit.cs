using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using PoolApi.AspNetCore.Events;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.Dashboard.Streams;

/// <summary>Sends streams to the pages, to so many at once and no more.</summary>
/// <remarks>
/// Each stream begins with how the app is. When the app begins to stop, it ends with a last event, <c>shutdown</c>, so that it holds up neither
/// the stop nor its page; the page then asks for the status until nobody answers.
/// </remarks>
internal sealed class StreamLimit(StatusView status, int most)
{
    private int _open;

    public int Open => Volatile.Read(ref _open);

    /// <param name="context">The request.</param>
    /// <param name="events">Makes the events, given what ends with the app and with the client.</param>
    public async Task<IResult> WriteAsync(HttpContext context, Func<CancellationToken, CancellationToken, IAsyncEnumerable<SseItem<string>>> events)
    {
        if (HttpMethods.IsHead(context.Request.Method))
        {
            EventStreamWriter.SetHeaders(context.Response);
            return TypedResults.Empty;
        }
        if (Interlocked.Increment(ref _open) > most)
        {
            Interlocked.Decrement(ref _open);
            return Problem.Later(context, "overloaded", "Too many pages", $"{most} pages are open already. Close some.");
        }
        try
        {
            var shutdown = context.RequestServices.GetRequiredService<ShutdownCoordinator>();
            await EventStreamWriter.WriteAsync(context, FramedAsync(shutdown, events(shutdown.Leaving, context.RequestAborted), context.RequestAborted));
            return TypedResults.Empty;
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private async IAsyncEnumerable<SseItem<string>> FramedAsync(
        ShutdownCoordinator shutdown, IAsyncEnumerable<SseItem<string>> events, [EnumeratorCancellation] CancellationToken client)
    {
        yield return Status("status");
        await foreach (SseItem<string> item in events.WithCancellation(client)) yield return item;
        if (!client.IsCancellationRequested && shutdown.IsStopping) yield return Status("shutdown");
    }

    private SseItem<string> Status(string type) => new(Encoding.UTF8.GetString(status.ToJson()), type);
}
