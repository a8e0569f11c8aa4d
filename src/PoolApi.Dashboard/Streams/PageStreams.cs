using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using PoolApi.AspNetCore.Events;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Dashboard.Requests;

namespace PoolApi.Dashboard.Streams;

/// <summary>Sends event streams to the pages and limits how many are open at once. Thread-safe.</summary>
/// <remarks>
/// Each stream begins with the app's status, and sends it again when it has been silent for a while: a page cannot see the stream's heartbeat comments,
/// and would take silence for a broken stream. When the stop begins, it ends with the event <c>shutdown</c>, so that it delays neither the stop
/// nor the page. The page then polls the status until the server no longer answers.
/// </remarks>
internal sealed class PageStreams(StatusView status, int most, TimeProvider time)
{
    /// <summary>The longest time without an event. Shorter than the time after which a page shows that the stream is silent.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);

    private int _open;

    public int Open => Volatile.Read(ref _open);

    /// <param name="context">The request.</param>
    /// <param name="events">Creates the events. It gets the token of the stop and that of the client.</param>
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
            return Problem.Later(context, CommonProblems.Overloaded, $"{most} pages are open already. Close some.");
        }
        try
        {
            var shutdown = context.RequestServices.GetRequiredService<ShutdownCoordinator>();
            await EventStreamWriter.WriteAsync(context, FramedAsync(shutdown, events(shutdown.Stopping, context.RequestAborted), context.RequestAborted));
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
        using var over = CancellationTokenSource.CreateLinkedTokenSource(client);
        IAsyncEnumerator<SseItem<string>> source = events.GetAsyncEnumerator(over.Token);
        Task<bool>? next = null;
        try
        {
            while (true)
            {
                next ??= source.MoveNextAsync().AsTask();
                await ((Task)next).WaitAsync(Silence, time, client).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!next.IsCompleted && !client.IsCancellationRequested)
                {
                    yield return Status("status");
                    continue;
                }
                if (!await next) break;
                next = null;
                yield return source.Current;
            }
        }
        finally
        {
            // An enumerator must not be disposed of during MoveNextAsync. The writer may have failed although the client is connected.
            await over.CancelAsync();
            if (next is not null) await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await source.DisposeAsync();
        }
        if (!client.IsCancellationRequested && shutdown.IsStopping) yield return Status("shutdown");
    }

    private SseItem<string> Status(string type) => new(Encoding.UTF8.GetString(status.ToJson()), type);
}
