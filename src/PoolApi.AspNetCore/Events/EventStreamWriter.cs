using System.IO.Pipelines;
using System.Net.ServerSentEvents;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace PoolApi.AspNetCore.Events;

/// <summary>Writes server-sent events as a response, until the events end or the client disconnects.</summary>
/// <remarks>
/// <para>It sends a comment every <see cref="Heartbeat"/>. Proxies and clients close idle connections, and the server notices only when it sends bytes that a
/// client has vanished without closing its connection. Such a client is detected within a minute.</para>
/// <para>Cost: one timer for each connected client. It asks for the next event only when the last one is flushed, so a slow client holds at
/// most one event.</para>
/// </remarks>
public static class EventStreamWriter
{
    /// <summary>The time between two heartbeat comments: 15 seconds.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>How long a flush may wait for the client to read before the connection is aborted: 30 seconds.</summary>
    public static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(30);

    private static readonly Encoding Utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Sets the headers of an event stream. <see cref="WriteAsync"/> calls it; call it for the response to HEAD.</summary>
    /// <param name="response">The response.</param>
    public static void SetHeaders(HttpResponse response)
    {
        ArgumentNullException.ThrowIfNull(response);
        IHeaderDictionary headers = response.Headers;
        headers.ContentType = "text/event-stream";
        headers.CacheControl = "no-cache,no-store";
        headers.Pragma = "no-cache";
        headers.ContentEncoding = "identity";
        // nginx buffers a response unless it has this header.
        headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>Writes the events. Returns when they have ended or the client has disconnected.</summary>
    /// <param name="context">The request.</param>
    /// <param name="events">The events. The sequence must end soon after <see cref="HttpContext.RequestAborted"/> is cancelled.</param>
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
            // The first event may come late. The flushed headers show the client that it is connected.
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
                    Write(context.Response.BodyWriter, ":\n\n"u8);
                    await FlushAsync(context, clock);
                    beat = timer.WaitForNextTickAsync(CancellationToken.None).AsTask();
                }
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has disconnected.
        }
        finally
        {
            // An enumerator must not be disposed of during MoveNextAsync.
            if (next is not null) await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await source.DisposeAsync();
        }
    }

    /// <summary>Flushes the response and aborts the connection if the client does not read within <see cref="WriteTimeout"/>.</summary>
    private static async ValueTask FlushAsync(HttpContext context, TimeProvider clock)
    {
        ValueTask<FlushResult> flush = context.Response.BodyWriter.FlushAsync(CancellationToken.None);
        if (!flush.IsCompleted)
        {
            // DisposeAsync waits for a running callback, so that it cannot abort a later request on this connection.
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
        WriteData(to, item.Data);
        if (item.EventId is { } id) WriteField(to, "id: "u8, id);
        if (item.ReconnectionInterval is { } interval)
            WriteField(to, "retry: "u8, ((long)interval.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Write(to, "\n"u8);
    }

    /// <summary>Writes one field for each line. The standard knows CR, LF and CRLF; EnumerateLines would also split at others, such as U+2028.</summary>
    private static void WriteData(PipeWriter to, ReadOnlySpan<char> data)
    {
        int end;
        while ((end = data.IndexOfAny('\r', '\n')) >= 0)
        {
            WriteField(to, "data: "u8, data[..end]);
            data = data[(end + (data[end..].StartsWith("\r\n") ? 2 : 1))..];
        }
        WriteField(to, "data: "u8, data);
    }

    private static void WriteField(PipeWriter to, ReadOnlySpan<byte> name, ReadOnlySpan<char> value)
    {
        Write(to, name);
        Utf8.GetBytes(value, to);
        Write(to, "\n"u8);
    }

    /// <summary>Writes a few bytes.</summary>
    /// <remarks>
    /// It asks for the room that it needs. BuffersExtensions.Write asks for any room, and throws if it gets none. Kestrel may give none when the
    /// connection has broken.
    /// </remarks>
    private static void Write(PipeWriter to, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(to.GetSpan(bytes.Length));
        to.Advance(bytes.Length);
    }
}
