using System.Buffers;
using System.IO.Pipelines;
using System.Net.ServerSentEvents;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace PoolApi.AspNetCore.Events;

/// <summary>Answers a request with server-sent events, for as long as there are events and the client is there.</summary>
/// <remarks>
/// <para>A comment is sent every <see cref="Heartbeat"/>: proxies and clients close a connection that is silent for long, and a connection
/// whose client has vanished fails only when something is sent. A client that has vanished without a word is gone within a minute.</para>
/// <para>One timer for each client that is connected. The next event is not asked for while one is on its way to the client.</para>
/// </remarks>
public static class EventStreamWriter
{
    /// <summary>The time between two comments.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>How long the connection may take nothing, with its buffers full, before it is cut.</summary>
    public static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(30);

    private static readonly Encoding Utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Sets the headers of a stream: for <see cref="WriteAsync"/>, and for the answer to HEAD.</summary>
    /// <param name="response">The answer.</param>
    public static void SetHeaders(HttpResponse response)
    {
        ArgumentNullException.ThrowIfNull(response);
        IHeaderDictionary headers = response.Headers;
        headers.ContentType = "text/event-stream";
        headers.CacheControl = "no-cache,no-store";
        headers.Pragma = "no-cache";
        headers.ContentEncoding = "identity";
        // nginx buffers answers unless this header tells it not to.
        headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>Sends the events. Returns when they have ended, or when the client has gone.</summary>
    /// <param name="context">The request.</param>
    /// <param name="events">The events. They must end soon after <see cref="HttpContext.RequestAborted"/>.</param>
    public static async Task WriteAsync(HttpContext context, IAsyncEnumerable<SseItem<string>> events)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(events);
        TimeProvider clock = context.RequestServices?.GetService<TimeProvider>() ?? TimeProvider.System;
        SetHeaders(context.Response);
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        using var liveness = ConnectionLiveness.LimitUnacknowledged(context);
        IAsyncEnumerator<SseItem<string>> source = events.GetAsyncEnumerator(context.RequestAborted);
        Task<bool>? next = null;
        try
        {
            using var timer = new PeriodicTimer(Heartbeat, clock);
            // The first event may be far: the client learns now that it is connected.
            await FlushAsync(context, clock);
            next = source.MoveNextAsync().AsTask();
            Task<bool> beat = timer.WaitForNextTickAsync(CancellationToken.None).AsTask();
            while (true)
            {
                await Task.WhenAny(next, beat);
                if (next.IsCompleted)
                {
                    if (!await next) return;
                    Write(context.Response.BodyWriter, source.Current);
                    await FlushAsync(context, clock);
                    next = source.MoveNextAsync().AsTask();
                }
                else
                {
                    context.Response.BodyWriter.Write(":\n\n"u8);
                    await FlushAsync(context, clock);
                    beat = timer.WaitForNextTickAsync(CancellationToken.None).AsTask();
                }
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone.
        }
        finally
        {
            // An enumerator must not be disposed of while it moves.
            if (next is not null) await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await source.DisposeAsync();
        }
    }

    /// <summary>Sends what was written. A client that takes nothing for too long is cut off, or has vanished.</summary>
    private static async ValueTask FlushAsync(HttpContext context, TimeProvider clock)
    {
        ValueTask<FlushResult> flush = context.Response.BodyWriter.FlushAsync(CancellationToken.None);
        if (!flush.IsCompleted)
        {
            // Disposing waits for the callback, so that it never aborts a later request on this connection.
            await using ITimer limit = clock.CreateTimer(static c => ((HttpContext)c!).Abort(), context, WriteTimeout, Timeout.InfiniteTimeSpan);
            await flush;
        }
        else
        {
            await flush;
        }
        context.RequestAborted.ThrowIfCancellationRequested();
    }

    private static void Write(PipeWriter to, SseItem<string> item)
    {
        if (item.EventType != SseParser.EventTypeDefault) WriteField(to, "event: "u8, item.EventType);
        foreach (ReadOnlySpan<char> line in item.Data.AsSpan().EnumerateLines()) WriteField(to, "data: "u8, line);
        if (item.EventId is { } id) WriteField(to, "id: "u8, id);
        if (item.ReconnectionInterval is { } interval)
            WriteField(to, "retry: "u8, ((long)interval.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture));
        to.Write("\n"u8);
    }

    private static void WriteField(PipeWriter to, ReadOnlySpan<byte> name, ReadOnlySpan<char> value)
    {
        to.Write(name);
        Utf8.GetBytes(value, to);
        to.Write("\n"u8);
    }
}
